//! Uploads of images and videos.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::response::{RouteResponse, media_type};
use super::route_request::RouteRequest;
use super::schema::{self, Field, Kind, required};
use super::state::State;
use super::upload::Upload;
use crate::crypto::{hash, random};

const META: &[Field] = &[required("/filename", Kind::Text(256)), required("/sha256", Kind::Text(64))];

/// Uploads an image, which cannot be downloaded.
pub(super) fn upload(_: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    checked_image(request)?;
    Ok(RouteResponse::json(&json!({ "media_id": new_media_id()? })))
}

/// Uploads a video, which cannot be downloaded.
pub(super) fn upload_video(_: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    checked_upload(request)?;
    Ok(RouteResponse::json(&json!({ "media_id": new_media_id()? })))
}

/// Uploads an image of a complaint, which can be downloaded.
pub(super) fn upload_image(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let (file, media_id) = (checked_image(request)?.file.clone(), new_media_id()?);
    state.images.insert(media_id.clone(), file);
    Ok(RouteResponse::json(&json!({ "media_id": media_id })))
}

pub(super) fn download_image(state: &mut State, request: &RouteRequest<'_>) -> Result<RouteResponse, Refusal> {
    let image = state.images.get(request.variable("media_id"));
    image.map(RouteResponse::file).ok_or_else(|| Refusal::not_found("图片不存在"))
}

/// The upload of an image: its first bytes must be those of a picture in a supported format.
fn checked_image<'a>(request: &'a RouteRequest<'_>) -> Result<&'a Upload, Refusal> {
    let upload = checked_upload(request)?;
    if !matches!(media_type(&upload.file), "image/jpeg" | "image/png" | "image/bmp") {
        return Err(Refusal::param("body", "/file", "图片格式不支持，仅支持JPG、BMP、PNG"));
    }
    Ok(upload)
}

/// The upload of a request. The digest in its `meta` must be that of the file.
fn checked_upload<'a>(request: &'a RouteRequest<'_>) -> Result<&'a Upload, Refusal> {
    let upload = request
        .upload
        .ok_or_else(|| Refusal::param("header", "Content-Type", "Http头Content-Type应为multipart/form-data"))?;
    let meta: Value = serde_json::from_slice(&upload.meta)
        .map_err(|error| Refusal::param("body", "/meta", format!("meta不是合法的JSON: {error}")))?;
    schema::check(&meta, META)?;
    if meta["sha256"] != hash::sha256(&upload.file) {
        return Err(Refusal::param("body", "/meta/sha256", "图片文件的sha256与meta中的sha256不一致"));
    }
    Ok(upload)
}

fn new_media_id() -> Result<String, Refusal> {
    random::nonce().map_err(|error| Refusal::system_error(&error))
}
