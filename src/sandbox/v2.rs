//! APIv2: what the sandbox checks and answers, in XML.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

use super::api_pay::{buyer, code_url};
use super::books::Refused;
use super::check::Verdict;
use super::orders::{self, Api, Order, Refund, Refunding, Terms};
use super::outbox::{self, Message};
use super::server::Presented;
use super::{MCHID, State, upload};
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
pub(super) async fn answer(
    request: &Request<Bytes>,
    state: &State,
    verdict: &mut Verdict,
) -> Result<(Response<Bytes>, Option<u64>), Error> {
    let path = request.uri().path();
    let known = ROUTES.iter().find(|(of, _, _)| *of == path);
    let stub = state.book().stubs.iter().rev().find_map(|stub| {
        stub.fits(true, request.method(), path).then(|| (stub.status, stub.response.clone(), stub.file))
    });
    let presented = request.extensions().get::<Presented>().is_some_and(|Presented(presented)| *presented);
    if known.is_some_and(|(_, demanded, _)| *demanded) && !presented {
        // As the service's gateway says it.
        let page = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n</html>\r\n";
        let mut answer = Response::new(Bytes::from_static(page.as_bytes()));
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        return Ok((answer, None));
    }
    let credential = state.apiv2();
    let asked = match fields(request).await {
        Ok(asked) => check(&asked, credential, verdict).map(|()| asked),
        Err(refusal) => Err(refusal),
    };
    let sign_type = match asked.as_ref().ok().and_then(|asked| asked.get("sign_type")?.as_str()) {
        Some(of) if of == hash::HMAC_SHA256 => hash::HMAC_SHA256,
        _ => hash::MD5,
    };
    let mut status = StatusCode::OK;
    let answered = match (asked, stub, known) {
        (Err(refusal), _, _) => Err(refusal),
        (Ok(_), Some((_, _, Some(length))), _) => return Ok((Response::default(), Some(length))),
        // What is no XML.
        (Ok(_), Some((status, Value::String(text), None)), _) => {
            let mut answer = Response::new(Bytes::from(text));
            *answer.status_mut() = status;
            return Ok((answer, None));
        }
        (Ok(asked), Some((of, response, None)), _) => {
            status = of;
            Ok((asked, response))
        }
        (Ok(_), None, Some(_)) if request.method() != http::Method::POST => {
            Err(Refusal::Return("请使用post方法".to_owned()))
        }
        (Ok(asked), None, Some((_, _, handler))) => handler(state, &asked).map(|answer| (asked, answer)),
        (Ok(_), None, None) => Err(Refusal::Return(format!(
            "the sandbox does not know {path}: give its answer in a stub file, wxpay sandbox --stubs FILE, with a line {{\"method\": \
             \"POST\", \"template\": {:?}, \"response\": {{...}}}}; in Rust sandbox.stub(\"POST\", {0:?}, 200, json!({{...}}))",
            format!("v2{path}")
        ))),
    };
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
        sign(&mut fields, sign_type, credential)?;
    }
    let mut answer = Response::new(Bytes::from(xml::write(&fields)));
    *answer.status_mut() = status;
    let content_type = http::HeaderValue::from_static("text/xml; charset=utf-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, content_type);
    Ok((answer, None))
}

/// Turns the `sign` of an answer into one of something else.
pub(super) fn spoil(answer: &mut Response<Bytes>) {
    if let Ok(mut fields) = xml::read(answer.body()) {
        fields.insert("sign".to_owned(), "0".repeat(32).into());
        *answer.body_mut() = xml::write(&fields).into();
    }
}

/// Adds the `sign`.
pub(super) fn sign(fields: &mut Fields, sign_type: &str, credential: &Credential) -> Result<(), Error> {
    let sign = hash::sign(sign_type, &signed_text(fields), &credential.secret)?;
    fields.insert("sign".to_owned(), sign.into());
    Ok(())
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

async fn fields(request: &Request<Bytes>) -> Result<Fields, Refusal> {
    if request.method() == http::Method::GET {
        let query = request.uri().query().unwrap_or_default();
        return crate::proto::v2::parse_query(query).map_err(|error| Refusal::Return(error.message().to_owned()));
    }
    if let Some(fields) = upload::fields(request).await {
        return fields.map_err(Refusal::Return);
    }
    xml::read(request.body()).map_err(|said| Refusal::Return(format!("XML格式错误: {said}")))
}

fn check(asked: &Fields, credential: &Credential, verdict: &mut Verdict) -> Result<(), Refusal> {
    if let Some((name, _)) = asked.iter().find(|(_, value)| !value.is_string()) {
        return Err(Refusal::Return(format!("{name}参数格式有误: 应为文本，不能是列表或嵌套的XML")));
    }
    verdict.expected = format!("{}&key=***", signed_text(asked));
    credential.verify(asked).map_err(|said| {
        verdict.said.clone_from(&said);
        Refusal::Return(format!("签名错误: {said}; expected a sign over {}", verdict.expected))
    })?;
    verdict.held = true;
    match text(asked, "mch_id").or_else(|_| text(asked, "mchid")).or_else(|_| text(asked, "combine_mch_id")) {
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
    let digits = text(fields, name)?;
    let plain = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let fen = digits
        .parse()
        .ok()
        .filter(|fen| plain && *fen > 0 && i64::try_from(*fen).is_ok_and(|fen| fen <= super::fields::MOST_FEN));
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
        Refused::NotEnough => ("NOTENOUGH", "余额不足"),
        Refused::NotShared | Refused::WrongState => ("INVALID_REQUEST", "当前状态不允许此操作"),
    };
    Refusal::Result(code, said)
}

fn unified_order(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    let trade_type = text(asked, "trade_type")?;
    match trade_type {
        "JSAPI" => drop(text(asked, "openid")?),
        "NATIVE" | "APP" | "MWEB" => {}
        _ => return Err(Refusal::Return("trade_type参数格式有误".to_owned())),
    }
    text(asked, "spbill_create_ip")?;
    for name in ["appid", "body"] {
        text(asked, name)?;
    }
    let mut request = Value::Object(asked.clone());
    // These differ each time the same order is placed.
    for name in ["sign", "nonce_str"] {
        request[name] = Value::Null;
    }
    let terms = Terms {
        api: Api::V2,
        owner: MCHID.to_owned(),
        out_trade_no: text(asked, "out_trade_no")?.to_owned(),
        trade_type: trade_type.to_owned(),
        total: fen(asked, "total_fee")?,
        notify_url: text(asked, "notify_url")?.to_owned(),
        profit_sharing: optional(asked, "profit_sharing") == "Y",
        combine_out_trade_no: String::new(),
        request,
    };
    if !super::fields::is_number(&terms.out_trade_no) {
        return Err(Refusal::Return("out_trade_no参数格式有误".to_owned()));
    }
    let mut book = state.book();
    let order = book.books.place(terms, now()).map_err(refused)?;
    let mut answer = json!({ "trade_type": trade_type, "prepay_id": order.prepay_id });
    match trade_type {
        "NATIVE" => answer["code_url"] = code_url(&order.prepay_id).into(),
        "MWEB" => {
            answer["mweb_url"] =
                format!("https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={}", order.prepay_id).into()
        }
        _ => {}
    }
    Ok(answer)
}

fn found<'a>(book: &'a super::Book, asked: &Fields) -> Result<&'a Order, Refusal> {
    let (ours, theirs) = (optional(asked, "out_trade_no"), optional(asked, "transaction_id"));
    if ours.is_empty() && theirs.is_empty() {
        return Err(missing("out_trade_no"));
    }
    book.books.order(MCHID, ours, theirs).map_err(refused)
}

fn order_query(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    let book = state.book();
    let order = found(&book, asked)?;
    let mut answer = json!({
        "out_trade_no": order.out_trade_no, "trade_state": order.state.as_str(), "total_fee": order.total.to_string(),
        "attach": order.asked("/attach"), "trade_type": order.terms.trade_type,
    });
    if !order.transaction_id.is_empty() {
        answer["transaction_id"] = order.transaction_id.as_str().into();
        answer["openid"] = buyer(order).into();
        answer["bank_type"] = "OTHERS".into();
        answer["cash_fee"] = order.total.to_string().into();
        answer["time_end"] = china_digits(order.paid_at).into();
    }
    Ok(answer)
}

fn close_order(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    let key = orders::key(MCHID, text(asked, "out_trade_no")?);
    state.book().books.close(&key).map_err(refused)?;
    Ok(json!({}))
}

/// Tells of a payment.
pub(super) fn paid(order: &Order) -> Message {
    let total = order.total.to_string();
    let fields = json!({
        "return_code": "SUCCESS", "result_code": "SUCCESS", "appid": order.asked("/appid"), "mch_id": MCHID,
        "openid": buyer(order), "is_subscribe": "N", "trade_type": order.terms.trade_type, "bank_type": "OTHERS",
        "total_fee": total, "cash_fee": total, "fee_type": "CNY", "transaction_id": order.transaction_id,
        "out_trade_no": order.out_trade_no, "attach": order.asked("/attach"), "time_end": china_digits(order.paid_at),
    });
    v2_message("transaction-success", fields)
}

/// Tells of a refund; what matters is sealed when it is sent.
pub(super) fn refunded(order: &Order, refund: &Refund) -> Message {
    let info = json!({
        "out_refund_no": refund.out_refund_no, "out_trade_no": refund.out_trade_no, "refund_account": "REFUND_SOURCE_RECHARGE_FUNDS",
        "refund_fee": refund.amount.to_string(), "refund_id": refund.refund_id, "refund_recv_accout": "支付用户零钱",
        "refund_request_source": "API", "refund_status": "SUCCESS", "settlement_refund_fee": refund.amount.to_string(),
        "settlement_total_fee": order.total.to_string(), "success_time": china_digits(refund.at),
        "total_fee": order.total.to_string(), "transaction_id": refund.transaction_id,
    });
    let fields = json!({ "return_code": "SUCCESS", "appid": order.asked("/appid"), "mch_id": MCHID, "req_info": info });
    v2_message("refund-processed", fields)
}

fn v2_message(event_type: &str, resource: Value) -> Message {
    Message { event_type: event_type.to_owned(), original_type: String::new(), resource, v2: true, probe: false }
}

fn refund(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    let (number, amount, total) = (text(asked, "out_refund_no")?, fen(asked, "refund_fee")?, fen(asked, "total_fee")?);
    let mut book = state.book();
    let order = found(&book, asked)?.clone();
    let key = orders::key(&order.terms.owner, &order.out_trade_no);
    let new = !book.books.refunds.contains_key(&orders::key(MCHID, number));
    let refunding = Refunding { out_refund_no: number, amount, total, notify_url: optional(asked, "notify_url") };
    let refund = book.books.refund(&key, &refunding, now()).map_err(refused)?.clone();
    if new {
        outbox::refunded(&mut book, &refund);
    }
    Ok(json!({
        "transaction_id": order.transaction_id, "out_trade_no": order.out_trade_no, "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id, "refund_fee": refund.amount.to_string(), "total_fee": order.total.to_string(),
        "cash_fee": order.total.to_string(),
    }))
}

fn send_red_pack(state: &State, asked: &Fields) -> Result<Value, Refusal> {
    for name in ["wxappid", "send_name", "total_num", "wishing", "client_ip", "act_name", "remark"] {
        text(asked, name)?;
    }
    let total = fen(asked, "total_amount")?;
    if !(100..=20_000).contains(&total) {
        return Err(Refusal::Result("MONEY_LIMIT", "每个红包金额必须在1元至200元之间"));
    }
    let bill = text(asked, "mch_billno")?;
    let mut request = Value::Object(asked.clone());
    for name in ["sign", "nonce_str"] {
        request[name] = Value::Null;
    }
    // Sent again under the same number it is the same red packet, and paid once.
    let key = format!("redpack-{bill}");
    let mut book = state.book();
    let number = book.books.transfer(&key, total, &request, now()).map_err(refused)?.transfer_bill_no.clone();
    // The first time its user has it at once; after that it is had already.
    let _ = book.books.confirm(&key, now());
    Ok(json!({
        "mch_billno": text(asked, "mch_billno")?, "wxappid": text(asked, "wxappid")?, "re_openid": text(asked, "re_openid")?,
        "total_amount": total.to_string(), "send_listid": number,
    }))
}
