//! APIv2: what the sandbox checks and answers, in XML.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::ledger::{Order, Refused, Terms};
use super::routes::matched;
use super::server::Presented;
use super::{MCHID, State};
use crate::clock::{china_digits, now};
use crate::crypto::{hash, random};
use crate::error::Error;
use crate::proto::v2::{Credential, Fields, is_unsigned, signed_text};
use crate::proto::xml;

/// Whether a request is one of APIv2: those of APIv3 have their version in the path.
pub(super) fn is_v2(path: &str) -> bool {
    !path.split('/').take(3).any(|segment| segment == "v3")
}

/// What went wrong, in the words of the service.
enum Refusal {
    /// `return_code` is `FAIL`: the request was not understood.
    Return(String),
    /// `result_code` is `FAIL`: it was, and is refused.
    Result(&'static str, &'static str),
}

fn missing(name: &str) -> Refusal {
    Refusal::Return(format!("缺少参数{name}"))
}

type Handler = fn(&State, &Fields) -> Result<Value, Refusal>;

/// Path, whether the client certificate is demanded, and what answers.
const ROUTES: &[(&str, bool, Handler)] = &[
    ("/pay/unifiedorder", false, unified_order),
    ("/pay/orderquery", false, order_query),
    ("/pay/closeorder", false, close_order),
    ("/secapi/pay/refund", true, refund),
    ("/mmpaymkttransfers/sendredpack", true, send_red_pack),
];

/// Answers a request, signed where the path is; or with a file of that length.
pub(super) fn answer(request: &Request<Bytes>, state: &State) -> Result<(Response<Bytes>, Option<u64>), Error> {
    let path = request.uri().path();
    let known = ROUTES.iter().find(|(of, _, _)| *of == path);
    let stub = state.book().stubs.iter().rev().find_map(|stub| {
        let fits = stub.fits_v2(request.method()) && matched(&stub.template, path).is_some();
        fits.then(|| (stub.status, stub.response.clone(), stub.file))
    });
    let presented = request.extensions().get::<Presented>().is_some_and(|Presented(presented)| *presented);
    if known.is_some_and(|(_, demanded, _)| *demanded) && !presented {
        // As the service's gateway says it.
        let page = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n</html>\r\n";
        let mut answer = Response::new(Bytes::from_static(page.as_bytes()));
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        return Ok((answer, None));
    }
    match &stub {
        Some((_, _, Some(length))) => return Ok((Response::default(), Some(*length))),
        // What is no XML.
        Some((status, Value::String(text), None)) => {
            let mut answer = Response::new(Bytes::from(text.clone()));
            *answer.status_mut() = *status;
            return Ok((answer, None));
        }
        _ => {}
    }
    let credential = state.apiv2();
    let asked = fields(request).and_then(|fields| check(&fields, credential).map(|()| fields));
    let answered = asked.and_then(|asked| match (stub, known) {
        (Some((_, response, _)), _) => Ok((asked, response)),
        (None, Some((_, _, handler))) => handler(state, &asked).map(|answer| (asked, answer)),
        (None, None) => Err(Refusal::Return(format!(
            "the sandbox does not know {path}: give its answer with sandbox.stub(\"POST\", {:?}, 200, json!({{...}}))",
            format!("v2{path}")
        ))),
    });
    let body = match answered {
        Ok((asked, answer)) => success(&asked, answer)?,
        Err(Refusal::Return(said)) => json!({ "return_code": "FAIL", "return_msg": said }),
        Err(Refusal::Result(code, said)) => json!({
            "return_code": "SUCCESS", "return_msg": "OK", "mch_id": MCHID, "nonce_str": random::nonce()?,
            "result_code": "FAIL", "err_code": code, "err_code_des": said,
        }),
    };
    let Value::Object(mut fields) = body else { return Err(Error::config("the sandbox answers APIv2 with an object")) };
    let understood = fields.get("return_code").is_some_and(|code| code == "SUCCESS");
    if understood && !is_unsigned(path) && !fields.contains_key("sign") {
        let sign_type = match asked_sign_type(request) {
            Some(of) if of == hash::HMAC_SHA256 => hash::HMAC_SHA256,
            _ => hash::MD5,
        };
        sign(&mut fields, sign_type, credential)?;
    }
    let mut answer = Response::new(Bytes::from(xml::write(&fields)));
    let content_type = http::HeaderValue::from_static("text/xml; charset=utf-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    Ok((answer, None))
}

/// Adds the `sign`.
pub(super) fn sign(fields: &mut Fields, sign_type: &str, credential: &Credential) -> Result<(), Error> {
    let sign = hash::sign(sign_type, &signed_text(fields), &credential.secret)?;
    fields.insert("sign".to_owned(), sign.into());
    Ok(())
}

fn asked_sign_type(request: &Request<Bytes>) -> Option<String> {
    fields(request).ok()?.get("sign_type")?.as_str().map(str::to_owned)
}

/// The fields that every answer has before its own.
fn success(asked: &Fields, answer: Value) -> Result<Value, Error> {
    let mut body = json!({ "return_code": "SUCCESS", "return_msg": "OK" });
    for name in ["appid", "mch_id"] {
        if let Some(value) = asked.get(name) {
            body[name] = value.clone();
        }
    }
    body["nonce_str"] = random::nonce()?.into();
    body["result_code"] = "SUCCESS".into();
    if let Value::Object(members) = answer {
        for (name, value) in members {
            body[name] = value;
        }
    }
    Ok(body)
}

fn fields(request: &Request<Bytes>) -> Result<Fields, Refusal> {
    if request.method() == http::Method::GET {
        let query = request.uri().query().unwrap_or_default();
        return crate::proto::v2::parse_query(query).map_err(|error| Refusal::Return(error.message().to_owned()));
    }
    xml::read(request.body()).map_err(|said| Refusal::Return(format!("XML格式错误: {said}")))
}

fn check(asked: &Fields, credential: &Credential) -> Result<(), Refusal> {
    credential.verify(asked).map_err(|said| Refusal::Return(format!("签名错误: {said}")))?;
    match text(asked, "mch_id").or_else(|_| text(asked, "mchid")) {
        Ok(mchid) if mchid == MCHID => Ok(()),
        Ok(_) => Err(Refusal::Return("商户号mch_id或子商户号不存在".to_owned())),
        Err(refusal) => Err(refusal),
    }
}

fn text<'a>(fields: &'a Fields, name: &str) -> Result<&'a str, Refusal> {
    fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).ok_or_else(|| missing(name))
}

fn optional<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Money in fen.
fn fen(fields: &Fields, name: &str) -> Result<u64, Refusal> {
    let fen = text(fields, name)?.parse().ok().filter(|fen| *fen > 0);
    fen.ok_or_else(|| Refusal::Return(format!("{name}参数格式有误")))
}

/// Why an order could not be changed, in the codes of APIv2.
fn refused(refused: Refused) -> Refusal {
    let (code, said) = match refused {
        Refused::Unknown => ("ORDERNOTEXIST", "订单不存在"),
        Refused::NumberUsed => ("OUT_TRADE_NO_USED", "商户订单号重复"),
        Refused::Paid => ("ORDERPAID", "该订单已支付"),
        Refused::Closed => ("ORDERCLOSED", "订单已关闭"),
        Refused::NotPaid => ("TRADE_STATE_ERROR", "订单状态错误"),
        Refused::TooMuch => ("REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致，或超过可退金额"),
        Refused::WrongTotal => ("INVALID_REQUEST", "订单总金额与退款请求中的总金额不一致"),
    };
    Refusal::Result(code, said)
}

fn unified_order(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    let trade_type = text(asked, "trade_type")?;
    if trade_type == "JSAPI" {
        text(asked, "openid")?;
    }
    text(asked, "spbill_create_ip")?;
    let terms = Terms {
        appid: text(asked, "appid")?.to_owned(),
        description: text(asked, "body")?.to_owned(),
        attach: optional(asked, "attach").to_owned(),
        notify_url: text(asked, "notify_url")?.to_owned(),
        trade_type: trade_type.to_owned(),
        openid: optional(asked, "openid").to_owned(),
        total: fen(asked, "total_fee")?,
    };
    let mut book = state.book();
    let order = book.ledger.place(text(asked, "out_trade_no")?, terms, now()).map_err(refused)?;
    let mut answer = json!({ "trade_type": trade_type, "prepay_id": order.prepay_id });
    match trade_type {
        "NATIVE" => answer["code_url"] = format!("weixin://wxpay/bizpayurl?pr={}", order.prepay_id).into(),
        "MWEB" => {
            answer["mweb_url"] =
                format!("https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={}", order.prepay_id).into()
        }
        "JSAPI" | "APP" => {}
        _ => return Err(Refusal::Return("trade_type参数格式有误".to_owned())),
    }
    Ok(answer)
}

fn found<'a>(book: &'a super::Book, asked: &Fields) -> Result<&'a Order, Refusal> {
    let (ours, theirs) = (optional(asked, "out_trade_no"), optional(asked, "transaction_id"));
    if ours.is_empty() && theirs.is_empty() {
        return Err(missing("out_trade_no"));
    }
    book.ledger.order(ours, theirs).map_err(refused)
}

fn order_query(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    let book = state.book();
    let order = found(&book, asked)?;
    let mut answer = json!({
        "out_trade_no": order.out_trade_no, "trade_state": order.state.as_str(), "total_fee": order.terms.total.to_string(),
        "attach": order.terms.attach, "trade_type": order.terms.trade_type,
    });
    if !order.transaction_id.is_empty() {
        answer["transaction_id"] = order.transaction_id.as_str().into();
        answer["openid"] = buyer(order).into();
        answer["bank_type"] = "OTHERS".into();
        answer["cash_fee"] = order.terms.total.to_string().into();
        answer["time_end"] = china_digits(order.paid_at).into();
    }
    Ok(answer)
}

fn close_order(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    state.book().ledger.close(text(asked, "out_trade_no")?).map_err(refused)?;
    Ok(json!({}))
}

/// Who pays: whom the order names, or a buyer of the sandbox's own.
pub(super) fn buyer(order: &Order) -> &str {
    if order.terms.openid.is_empty() { "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" } else { &order.terms.openid }
}

fn refund(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    let (number, amount, total) = (text(asked, "out_refund_no")?, fen(asked, "refund_fee")?, fen(asked, "total_fee")?);
    let mut book = state.book();
    let order = found(&book, asked)?.clone();
    let refund = book.ledger.refund(&order.out_trade_no, number, amount, total, now()).map_err(refused)?;
    Ok(json!({
        "transaction_id": order.transaction_id, "out_trade_no": order.out_trade_no, "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id, "refund_fee": refund.amount.to_string(), "total_fee": order.terms.total.to_string(),
        "cash_fee": order.terms.total.to_string(),
    }))
}

fn send_red_pack(_: &State, asked: &Fields) -> Result<Value, Refusal> {
    for name in ["wxappid", "send_name", "total_num", "wishing", "client_ip", "act_name", "remark"] {
        text(asked, name)?;
    }
    let total = fen(asked, "total_amount")?;
    if !(100..=20_000).contains(&total) {
        return Err(Refusal::Result("MONEY_LIMIT", "每个红包金额必须在1元至200元之间"));
    }
    let number = random::nonce().map_err(|error| Refusal::Return(error.message().to_owned()))?;
    Ok(json!({
        "mch_billno": text(asked, "mch_billno")?, "wxappid": text(asked, "wxappid")?, "re_openid": text(asked, "re_openid")?,
        "total_amount": total.to_string(), "send_listid": number,
    }))
}
