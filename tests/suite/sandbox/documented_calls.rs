//! Documented calls that can be sent to a sandbox, and how their responses differ from the
//! documentation.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use wechatpay_chain::catalog::{Call, Encoding, Field, FieldType, Place, ResponseKind};
use wechatpay_chain::sandbox::{MCHID, PUBLIC_KEY_ID, Sandbox};
use wechatpay_chain::{Client, Error, Media, Options, Response};

use super::native;

pub(super) const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";
pub(super) const APPID: &str = "wxd678efh567hg6787";

/// A documented call that can be sent: with its template, and the base URI of the sandbox for it.
pub(super) struct Sendable<'a> {
    pub(super) call: &'a Call,
    pub(super) template: &'a str,
    pub(super) options: Value,
}

impl<'a> Sendable<'a> {
    /// A call with its example. Placeholders are replaced by values of the sandbox.
    pub(super) fn example(sandbox: &Sandbox, call: &'a Call, all: bool) -> Option<Self> {
        let mut options = call.example(all);
        replace(&mut options);
        Some(Sendable { call, template: call.template()?, options: at_sandbox(sandbox, options) })
    }

    /// A sample of the documentation. `None` if its body cannot be sent as options.
    pub(super) fn sample(sandbox: &Sandbox, call: &'a Call, template: &'a str, row: &Value) -> Option<Self> {
        let mut options = row.get("options").cloned().unwrap_or_else(|| json!({}));
        replace(&mut options);
        let members = options.as_object_mut()?;
        members.remove("sink");
        members.insert("base_uri".to_owned(), row["expect"]["base"].clone());
        // The samples abbreviate ciphertexts and the number of the key.
        let headers = members.get_mut("headers").and_then(Value::as_object_mut);
        let serial = headers.and_then(|headers| headers.remove("Wechatpay-Serial"));
        let has_other_padding = template.ends_with("customs/verify-certificate");
        if template.starts_with("v3/")
            && !has_other_padding
            && (serial.is_some() || !call.encrypted_request_fields(Place::Json).is_empty())
        {
            members.insert("encrypt".to_owned(), true.into());
        }
        if let Some(meta) = row.pointer("/expect/multipart/meta") {
            members.remove("headers");
            members.insert("multipart".to_owned(), json!([{ "name": "meta", "contents": meta }]));
        } else if row.get("opaque").is_some() {
            return None;
        }
        Some(Sendable { call, template, options: at_sandbox(sandbox, options) })
    }

    /// Sends it with other options. The body of an upload is its `multipart`.
    pub(super) fn send(&self, client: &Client, options: &Value) -> Result<Response, Error> {
        let given = options.clone();
        let mut options = options.clone();
        // APIv2 takes the parts as they are.
        let is_v3 = self.template.starts_with("v3/");
        let upload = options.as_object_mut().and_then(|options| options.remove("multipart").filter(|_| is_v3));
        let mut options = Options::from(if is_v3 { options } else { given });
        if let Some(parts) = upload {
            let mut media = Media::from_bytes("image.png", b"\x89PNG\r\n\x1a\n".to_vec());
            let meta = parts.as_array().into_iter().flatten().find(|part| part.get("filename").is_none());
            if let Some(meta) = meta {
                let mut meta: Value = serde_json::from_str(meta["contents"].as_str().expect("text")).expect("JSON");
                for name in ["sha256", "file_digest", "digest"] {
                    if meta.get(name).is_some() {
                        meta[name] = media.sha256().into();
                    }
                }
                media = media.meta(meta);
            }
            options = options.media(media);
        }
        client.request(self.call.method(), self.template, options)
    }
}

/// The options of a call to the service, for the sandbox.
pub(super) fn at_sandbox(sandbox: &Sandbox, mut options: Value) -> Value {
    let base_uri = options["base_uri"].as_str().unwrap_or_default();
    let prefix = ["hk/", "global/"].into_iter().find(|prefix| base_uri.ends_with(&format!(".com/{prefix}")));
    options["base_uri"] = format!("{}{}", sandbox.tls_base_uri(), prefix.unwrap_or_default()).into();
    options
}

/// Replaces placeholders by values of the sandbox's merchant, at any depth.
pub(super) fn replace(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(replace),
        Value::Object(members) => {
            for (name, value) in members {
                let ends = |suffix: &str| name.ends_with(suffix) && value.is_string();
                let other = match name.as_str() {
                    _ if ends("appid") && !ends("wxappid") => Some(APPID.to_owned()),
                    "sp_mchid" | "mchid" | "mch_id" | "combine_mch_id" | "combine_mchid" => Some(MCHID.to_owned()),
                    _ if ends("openid") => Some(OPENID.to_owned()),
                    "bill_date" => Some("2026-11-01".to_owned()),
                    "sign_type" if *value == "sign_type" => Some("HMAC-SHA256".to_owned()),
                    "time_expire" => Some("2099-11-01T00:00:00+08:00".to_owned()),
                    _ => None,
                };
                match other {
                    Some(other) if value.is_string() || name.starts_with("mch") => *value = other.into(),
                    _ => replace(value),
                }
            }
        }
        _ => {}
    }
}

/// How a response differs from its documentation.
pub(super) fn differences(fields: &[Field], value: &Value, path: &str, is_xml: bool) -> Vec<String> {
    let Some(members) = value.as_object() else { return vec![format!("{path} is not an object: {value}")] };
    let mut found = Vec::new();
    for field in fields.iter().filter(|field| field.required && !members.contains_key(&field.name)) {
        if !field.name.contains('$') && fields.iter().filter(|other| other.name == field.name).all(|f| f.required) {
            found.push(format!("{path}.{} is missing", field.name));
        }
    }
    for (name, value) in members {
        let path = format!("{path}.{name}");
        let documented: Vec<&Field> = fields
            .iter()
            .filter(|field| field.name == *name || field.name.replace("$n", "0").replace("$m", "0") == *name)
            .collect();
        let each = documented.iter().map(|field| value_differences(field, value, &path, is_xml));
        match each.min_by_key(Vec::len) {
            Some(fewest) => found.extend(fewest),
            None => found.push(format!("{path} is not documented")),
        }
    }
    found
}

/// Differences that are the documentation's own: what it lists contradicts itself, or the service.
pub(super) fn is_slip(template: &str, difference: &str) -> bool {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| difference.ends_with(suffix));
    match template {
        // Fields of a failure are marked as required in 12 calls of APIv2.
        _ if template.starts_with("v2/") && ends(&[".err_code is missing", ".err_code_des is missing"]) => true,
        "v2/billcommentsp/batchquerycomment" => difference.contains("not listed: \"SUCCESS\""),
        // XML has no list of this form.
        "v2/secapi/mch/submchmanage" => difference.starts_with(".mchinfo"),
        // The values of the state and of the results are those of each other.
        "v3/profitsharing/orders/{out_order_no}" => difference.contains("not listed"),
        // The documentation marks the reason for a failure as required.
        "v3/profitsharing/orders/unfreeze" => difference == ".receivers.fail_reason is missing",
        // The ledger has no number for the payment as a whole.
        "v3/combine-transactions/out-trade-no/{combine_out_trade_no}" => {
            difference == ".combine_transaction_id is missing"
        }
        // A number with texts as its values.
        "v3/gov/subsidy/zhejiang/authcode/try" => difference.contains("DIS_FLAG"),
        // The tables of the response repeat the fields of the request to place an order.
        _ if template.contains("/transactions/id/") || template.contains("/transactions/out-trade-no/") => {
            template.starts_with("v3/pay/")
                && (ends(&[".description is missing", ".notify_url is missing"])
                    || difference.contains("not documented"))
        }
        _ => false,
    }
}

fn value_differences(field: &Field, value: &Value, path: &str, is_xml: bool) -> Vec<String> {
    if field.list && !is_xml {
        let Some(items) = value.as_array() else { return vec![format!("{path} is not a list")] };
        let mut item = field.clone();
        item.list = false;
        return items.iter().flat_map(|value| value_differences(&item, value, path, is_xml)).collect();
    }
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let has_type = match field.field_type {
        FieldType::Object if field.fields.is_empty() => value.is_object(),
        FieldType::Object => return differences(&field.fields, value, path, is_xml),
        FieldType::String => value.is_string(),
        FieldType::Boolean => value.is_boolean() || (is_xml && (text == "true" || text == "false")),
        FieldType::Integer => value.is_i64() || value.is_u64() || (is_xml && text.parse::<i64>().is_ok()),
        FieldType::Number => value.is_number() || (is_xml && text.parse::<f64>().is_ok()),
        _ => false,
    };
    if !has_type {
        return vec![format!("{path} is not {}: {value}", field.field_type.as_str())];
    }
    if !field.values.is_empty() && field.encoding == Encoding::Plain && !field.values.contains(&text) {
        return vec![format!("{path} has a value that is not listed: {value}")];
    }
    if field.field_type == FieldType::String && !field.fields.is_empty() {
        return match serde_json::from_str::<Value>(&text) {
            Ok(Value::Object(inside)) => differences(&field.fields, &inside.into(), path, false),
            Ok(Value::Array(items)) => {
                let fields = match &field.fields[..] {
                    [only] if only.list && only.field_type == FieldType::Object => &only.fields,
                    fields => fields,
                };
                items.iter().flat_map(|item| differences(fields, item, path, false)).collect()
            }
            _ => vec![format!("{path} is not JSON: {text}")],
        };
    }
    Vec::new()
}

/// Whether a response has a text in a field that is encrypted.
fn has_encrypted(fields: &[Field], value: &Value) -> bool {
    fields.iter().any(|field| match (value, value.get(&field.name)) {
        (Value::Array(items), _) => items.iter().any(|item| has_encrypted(fields, item)),
        (_, Some(text)) if field.encoding == Encoding::Encrypted => text.as_str().is_some_and(|text| !text.is_empty()),
        (_, Some(below)) => has_encrypted(&field.fields, below),
        (_, None) => false,
    })
}

/// How a response differs from its documentation. Fields that each response of APIv2 has are added.
pub(super) fn response_differences(client: &Client, sent: &Sendable<'_>, response: &Response) -> Vec<String> {
    const COMMON: [&str; 8] =
        ["return_code", "return_msg", "result_code", "appid", "mch_id", "nonce_str", "sign", "sign_type"];
    let call = sent.call;
    let encrypted = call.encrypted_response_fields();
    match call.response_kind() {
        ResponseKind::Json => {
            let Ok(body) = response.json::<Value>() else { return vec!["the body is not JSON".to_owned()] };
            let mut found = differences(call.response(), &body, "", false);
            if !encrypted.is_empty() {
                match client.decrypt_response(call.method(), sent.template, response) {
                    Ok(plain) if plain == body && has_encrypted(call.response(), &body) => {
                        found.push("nothing is encrypted".to_owned());
                    }
                    Ok(_) => {}
                    Err(error) => found.push(error.to_string()),
                }
            }
            found
        }
        ResponseKind::Xml => {
            let Ok(body) = response.xml() else { return vec!["the body is not XML".to_owned()] };
            let mut members: Map<String, Value> = body.as_object().expect("members").clone();
            for name in COMMON.iter().filter(|name| call.response().iter().all(|field| field.name != **name)) {
                members.remove(*name);
            }
            differences(call.response(), &members.into(), "", true)
        }
        ResponseKind::Empty if !response.body().is_empty() => vec!["the body is not empty".to_owned()],
        _ => Vec::new(),
    }
}

/// The numbers that the service assigned, by product and name.
#[derive(Default)]
pub(super) struct Assigned(HashMap<(String, String), Value>);

impl Assigned {
    fn key(sent: &Sendable<'_>, name: &str) -> (String, String) {
        let length = if sent.template.starts_with("v3/marketing/") { 3 } else { 2 };
        (sent.template.split('/').take(length).collect::<Vec<_>>().join("/"), name.to_owned())
    }

    pub(super) fn remember(&mut self, sent: &Sendable<'_>, response: &Response) {
        let body = response.json::<Value>().or_else(|_| response.xml()).unwrap_or_default();
        let encrypted = sent.call.encrypted_response_fields();
        for (name, value) in body.as_object().into_iter().flatten().filter(|(name, _)| !encrypted.contains(name)) {
            self.0.entry(Self::key(sent, name)).or_insert_with(|| value.clone());
        }
    }

    /// Replaces placeholders, which are the names of their fields.
    pub(super) fn replace(&self, sent: &Sendable<'_>, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.replace(sent, item)),
            Value::Object(members) => {
                for (name, value) in members {
                    let is_placeholder = *value == name.as_str() || (*value == 1 && name.ends_with("_id"));
                    let assigned = self.0.get(&Self::key(sent, name)).filter(|_| is_placeholder);
                    let text = assigned.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                    match text {
                        Some(text) if value.is_string() => *value = text.into(),
                        Some(text) => *value = text.parse::<u64>().map_or_else(|_| value.clone(), Value::from),
                        _ => self.replace(sent, value),
                    }
                }
            }
            _ => {}
        }
    }
}

fn combined_order(number: &str, parts: &str) -> Value {
    let part = |letter: &str| {
        json!({
            "mchid": MCHID, "attach": "a", "out_trade_no": format!("{parts}-{letter}"), "description": "d",
            "amount": { "total_amount": 1, "currency": "CNY" },
        })
    };
    json!({ "json": {
        "combine_appid": APPID, "combine_mchid": MCHID, "combine_out_trade_no": number,
        "notify_url": "https://example.com/notify", "sub_orders": [part("a"), part("b")],
    }})
}

/// A payment code.
const CODE: &str = "120061098828009406";

fn code_payment(number: &str) -> Value {
    let mut order = native(number, 1, "https://example.com/notify");
    order["json"].as_object_mut().expect("members").remove("notify_url");
    order["json"]["payer"] = json!({ "auth_code": CODE });
    order["json"]["scene_info"] = json!({ "store_info": { "id": "0001" } });
    order
}

/// The data that the handlers of the ledger need: paid orders, and a counter for new numbers.
pub(super) struct Realistic {
    transaction_id: String,
    partner_transaction_id: String,
    v2_transaction_id: String,
    abnormal_refund_id: String,
    /// The date in China.
    today: String,
    number: usize,
}

impl Realistic {
    const PAID: &str = "order-paid";

    pub(super) fn new(sandbox: &Sandbox, client: &Client) -> Self {
        let mut order = native(Self::PAID, 1000, "https://example.com/notify");
        order["json"]["settle_info"] = json!({ "profit_sharing": true });
        client.chain("v3/pay/transactions/native").post(order).expect("placed");
        let transaction_id = sandbox.pay(Self::PAID).expect("paid");
        sandbox.control("bills", &json!({})).expect("bills");
        let paid = client.chain("v3/pay/transactions/id/{id}");
        let paid = paid.get(json!({ "id": transaction_id, "query": { "mchid": MCHID } })).expect("order");
        let today = paid.json::<Value>().expect("json")["success_time"].as_str().expect("time")[..10].to_owned();
        let partner = json!({ "json": {
            "sp_appid": APPID, "sp_mchid": MCHID, "sub_mchid": "1900000209", "description": "d", "out_trade_no": "order-partner",
            "notify_url": "https://example.com/notify", "amount": { "total": 7 },
        }});
        client.chain("v3/pay/partner/transactions/native").post(partner).expect("placed");
        let partner_transaction_id = sandbox.pay("order-partner").expect("paid");
        let combined = combined_order("combined-1", "part-1");
        client.chain("v3/combine-transactions/native").post(combined).expect("placed");
        sandbox.pay("combined-1").expect("paid");
        let order = json!({ "xml": {
            "appid": APPID, "mch_id": MCHID, "body": "b", "out_trade_no": "paid-v2", "total_fee": "100", "trade_type": "APP",
            "spbill_create_ip": "127.0.0.1", "notify_url": "https://example.com/notify",
        }});
        client.chain("v2/pay/unifiedorder").post(order).expect("placed");
        let v2_transaction_id = sandbox.pay("paid-v2").expect("paid");
        sandbox.control("hold", &json!({ "refunds": true })).expect("held");
        let refund = json!({ "json": {
            "out_trade_no": Self::PAID, "out_refund_no": "refund-abnormal",
            "amount": { "refund": 1, "total": 1000, "currency": "CNY" },
        }});
        client.chain("v3/refund/domestic/refunds").post(refund).expect("accepted");
        let ended = json!({ "out_refund_no": "refund-abnormal", "status": "ABNORMAL" });
        let ended = sandbox.control("end-refund", &ended).expect("abnormal");
        let abnormal_refund_id = ended["refund_id"].as_str().expect("refund_id").to_owned();
        sandbox.control("hold", &json!({ "refunds": false })).expect("off");
        Realistic { v2_transaction_id, abnormal_refund_id, transaction_id, partner_transaction_id, today, number: 0 }
    }

    /// Completes the options of a call of the ledger.
    pub(super) fn complete(&mut self, client: &Client, template: &str, options: &mut Value) {
        self.number += 1;
        let (number, paid) = (format!("order{:05}", self.number), Self::PAID);
        if ["v3/ecommerce/", "v3/global/customs/"].iter().any(|product| template.starts_with(product)) {
            for (pointer, known) in
                [("/json/transaction_id", &self.transaction_id), ("/json/refund_id", &self.abnormal_refund_id)]
            {
                if let Some(id) = options.pointer_mut(pointer) {
                    *id = known.as_str().into();
                }
            }
        }
        let mut set = |pointer: &str, value: Value| {
            *pointer.split('/').skip(1).fold(&mut *options, |part, name| &mut part[name]) = value;
        };
        let orders =
            template.starts_with("v3/pay/transactions/") || template.starts_with("v3/pay/partner/transactions/");
        match template {
            _ if orders && !template.contains('{') => {
                set("/json/out_trade_no", number.into());
                set("/json/amount/currency", "CNY".into());
                if template.ends_with("codepay") {
                    set("/json/payer/auth_code", CODE.into());
                }
            }
            "v3/pay/transactions/out-trade-no/{out_trade_no}/reverse"
            | "v3/pay/partner/transactions/out-trade-no/{out_trade_no}/reverse" => {
                let order = code_payment(&number);
                client.chain("v3/pay/transactions/codepay").post(order).expect("paid");
                set("/out_trade_no", number.into());
                if template.contains("partner") {
                    set("/json/sub_mchid", MCHID.into());
                }
            }
            _ if template.starts_with("v3/papay/") && template.ends_with("transactions/apply") => {
                set("/json/out_trade_no", number.into());
                set("/json/amount/currency", "CNY".into());
            }
            "v3/pay/transactions/id/{transaction_id}" => set("/transaction_id", self.transaction_id.as_str().into()),
            "v3/pay/transactions/out-trade-no/{out_trade_no}" => set("/out_trade_no", paid.into()),
            "v3/pay/partner/transactions/id/{transaction_id}" => {
                set("/transaction_id", self.partner_transaction_id.as_str().into());
                set("/query/sub_mchid", "1900000209".into());
            }
            "v3/pay/partner/transactions/out-trade-no/{out_trade_no}" => {
                set("/out_trade_no", "order-partner".into());
                set("/query/sub_mchid", "1900000209".into());
            }
            _ if orders => {
                let order = native(&number, 1, "https://example.com/notify");
                client.chain("v3/pay/transactions/native").post(order).expect("placed");
                set("/out_trade_no", number.into());
                if template.contains("partner") {
                    set("/json/sub_mchid", MCHID.into());
                }
            }
            _ if template.starts_with("v3/combine-transactions/") && !template.contains('{') => {
                let mut first = options["json"]["sub_orders"][0].clone();
                first["amount"]["currency"] = "CNY".into();
                let [mut first, mut second] = [first.clone(), first];
                first["out_trade_no"] = format!("{number}a").into();
                second["out_trade_no"] = format!("{number}b").into();
                options["json"]["combine_out_trade_no"] = format!("{number}c").into();
                options["json"]["sub_orders"] = json!([first, second]);
            }
            "v3/combine-transactions/out-trade-no/{combine_out_trade_no}" => {
                set("/combine_out_trade_no", "combined-1".into());
            }
            "v3/combine-transactions/out-trade-no/{combine_out_trade_no}/close" => {
                client
                    .chain("v3/combine-transactions/native")
                    .post(combined_order("combined-2", "part-2"))
                    .expect("placed");
                let part = |number: &str| json!({ "mchid": MCHID, "out_trade_no": number });
                options["json"]["sub_orders"] = json!([part("part-2-a"), part("part-2-b")]);
                options["combine_out_trade_no"] = "combined-2".into();
            }
            "v3/refund/domestic/refunds" => {
                *options = json!({ "base_uri": options["base_uri"], "json": {
                    "out_trade_no": paid, "out_refund_no": "refund-1",
                    "amount": { "refund": 1, "total": 1000, "currency": "CNY" },
                }});
            }
            "v3/refund/domestic/refunds/{out_refund_no}" => {
                *options = json!({ "base_uri": options["base_uri"], "out_refund_no": "refund-1" });
            }
            "v3/refund/domestic/refunds/{refund_id}/apply-abnormal-refund" => {
                set("/refund_id", self.abnormal_refund_id.as_str().into());
                set("/json/out_refund_no", "refund-abnormal".into());
                set("/json/sub_mchid", MCHID.into());
            }
            "v3/fund-app/mch-transfer/transfer-bills" => {
                set("/json/transfer_amount", 400.into());
                set("/json/transfer_scene_id", "1000".into());
                set("/json/out_bill_no", "bill1".into());
            }
            "v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{out_bill_no}"
            | "v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{out_bill_no}/cancel" => {
                set("/out_bill_no", "bill1".into());
            }
            "v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/{transfer_bill_no}" => {
                let bill = "v3/fund-app/mch-transfer/transfer-bills/out-bill-no/bill1";
                let bill = client.chain(bill).get(()).expect("bill").json::<Value>().expect("json");
                set("/transfer_bill_no", bill["transfer_bill_no"].clone());
            }
            "v3/profitsharing/orders" => {
                let receiver = json!({ "json": {
                    "appid": APPID, "type": "MERCHANT_ID", "account": "86693852", "relation_type": "STORE",
                }});
                client.chain("v3/profitsharing/receivers/add").post(receiver).expect("added");
                *options = json!({ "base_uri": options["base_uri"], "json": {
                    "appid": APPID, "transaction_id": self.transaction_id, "out_order_no": "share-1", "unfreeze_unsplit": false,
                    "receivers": [{ "type": "MERCHANT_ID", "account": "86693852", "amount": 1, "description": "d" }],
                }});
            }
            "v3/profitsharing/orders/unfreeze" => {
                *options = json!({ "base_uri": options["base_uri"], "json": {
                    "transaction_id": self.transaction_id, "out_order_no": "share-2", "description": "d",
                }});
            }
            "v3/profitsharing/orders/{out_order_no}" => {
                let query = json!({ "transaction_id": self.transaction_id });
                *options = json!({ "base_uri": options["base_uri"], "out_order_no": "share-1", "query": query });
            }
            "v3/profitsharing/transactions/{transaction_id}/amounts" => {
                set("/transaction_id", self.transaction_id.as_str().into());
            }
            "v3/profitsharing/return-orders" => {
                *options = json!({ "base_uri": options["base_uri"], "json": {
                    "out_order_no": "share-1", "out_return_no": "return-1", "return_mchid": "86693852", "amount": 1,
                    "description": "d",
                }});
            }
            "v3/profitsharing/return-orders/{out_return_no}" => {
                let query = json!({ "out_order_no": "share-1" });
                *options = json!({ "base_uri": options["base_uri"], "out_return_no": "return-1", "query": query });
            }
            "v3/bill/tradebill" | "v3/bill/fundflowbill" => {
                *options = json!({ "base_uri": options["base_uri"], "query": { "bill_date": self.today } });
            }
            "v3/billdownload/file" => {
                let bill = json!({ "query": { "bill_date": self.today } });
                let bill = client.chain("v3/bill/tradebill").get(bill).expect("bill").json::<Value>().expect("json");
                let url = bill["download_url"].as_str().expect("url");
                set("/query/token", url.split_once("token=").expect("token").1.into());
            }
            "v3/security/echo" => {
                let text = options["json"]["echo_message"].clone();
                options["json"]["encrypted_echo_message"] = text;
            }
            _ if template.ends_with("customs/verify-certificate") => {
                let members = options.as_object_mut().expect("members");
                members.remove("encrypt");
                members.insert("headers".to_owned(), json!({ "Wechatpay-Serial": PUBLIC_KEY_ID }));
                for name in ["certificate_id", "certificate_name"] {
                    let ciphertext = "A".repeat(342) + "==";
                    options["json"][name] = ciphertext.into();
                }
            }
            "v2/pay/unifiedorder" => {
                for (name, value) in [("trade_type", "APP"), ("out_trade_no", "order-v2"), ("total_fee", "100")] {
                    set(&format!("/xml/{name}"), value.into());
                }
                set("/xml/time_expire", "20991231000000".into());
            }
            "v2/pay/micropay" | "v2/pay/facepay" => {
                set("/xml/out_trade_no", format!("{}-v2", template.rsplit('/').next().expect("name")).into());
                set("/xml/time_expire", "20991231000000".into());
                if template.ends_with("micropay") {
                    set("/xml/auth_code", CODE.into());
                }
            }
            "v2/pay/contractorder" | "v2/pay/pappayapply" | "v2/pay/partner/pappayapply" => {
                set("/xml/out_trade_no", number.into());
                if template.ends_with("contractorder") {
                    set("/xml/trade_type", "NATIVE".into());
                    set("/xml/time_expire", "20991231000000".into());
                } else {
                    set("/xml/trade_type", "PAP".into());
                }
            }
            "v2/secapi/pay/reverse" | "v2/secapi/pay/facepayreverse" => {
                options["xml"].as_object_mut().expect("members").remove("transaction_id");
                let paid = if template.contains("face") { "facepay-v2" } else { "micropay-v2" };
                options["xml"]["out_trade_no"] = paid.into();
            }
            "v2/pay/facepayquery" | "v2/pay/paporderquery" | "v2/pay/partner/paporderquery" => {
                options["xml"]["out_trade_no"] = "paid-v2".into();
                options["xml"]["transaction_id"] = self.v2_transaction_id.as_str().into();
            }
            "v2/pay/orderquery" => {
                options["xml"].as_object_mut().expect("members").remove("transaction_id");
                options["xml"]["out_trade_no"] = "paid-v2".into();
            }
            "v2/pay/closeorder" => options["xml"]["out_trade_no"] = "order-v2".into(),
            "v2/secapi/pay/refund" | "v2/secapi/pay/refundv2" => {
                let number = if template.ends_with("v2") { "refund-w2" } else { "refund-v2" };
                let xml = options["xml"].as_object_mut().expect("members");
                xml.remove("transaction_id");
                for (name, value) in [("out_trade_no", paid), ("out_refund_no", number), ("refund_fee", "1")] {
                    xml.insert(name.to_owned(), value.into());
                }
                xml.insert("total_fee".to_owned(), "1000".into());
            }
            "v2/pay/refundquery" | "v2/pay/refundqueryv2" => {
                let xml = options["xml"].as_object_mut().expect("members");
                for name in ["transaction_id", "out_trade_no", "refund_id"] {
                    xml.remove(name);
                }
                xml.insert("out_refund_no".to_owned(), "refund-v2".into());
            }
            "v2/mmpaymkttransfers/sendredpack" => set("/xml/total_amount", "100".into()),
            "v2/secapi/mch/submchmanage" => set("/xml/appid", APPID.into()),
            "v2/secapi/mch/uploadmedia" => {
                for part in options["multipart"].as_array_mut().expect("parts") {
                    if part["name"] == "mch_id" {
                        part["contents"] = MCHID.into();
                    }
                }
            }
            _ => {}
        }
    }
}
