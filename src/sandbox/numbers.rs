//! What the names of fields and the paths of calls tell of the objects that they are about.

use serde_json::{Map, Value};

use super::ledger::Ledger;
use super::resources;

/// Names that end like those of numbers, and name settings that no call creates.
const SETTINGS: [&str; 8] = [
    "brand_id",
    "plan_id",
    "service_id",
    "organization_id",
    "device_id",
    "bank_code",
    "transfer_scene_id",
    "template_id",
];
/// Numbers that the merchant assigns, apart from those that begin with `out_` or `merchant_`.
const MERCHANTS: [&str; 10] = [
    "authenticate_number",
    "business_code",
    "combine_out_trade_no",
    "contract_code",
    "fapiao_apply_id",
    "mch_billno",
    "mch_order_no",
    "partner_trade_no",
    "print_order_no",
    "send_request_no",
];

/// Whether a path template is one of APIv2.
pub(super) fn is_v2(template: &str) -> bool {
    template.starts_with("v2/")
}

/// The paths within which a number is unique.
pub(super) fn product(template: &str) -> String {
    let mut segments = template.split('/').filter(|segment| !segment.is_empty() && *segment != "secapi");
    let version = segments.next().unwrap_or_default();
    let first = segments.next().unwrap_or_default();
    match (version, first) {
        ("v3", "marketing") => format!("v3/marketing/{}", segments.next().unwrap_or_default()),
        _ => format!("{version}/{first}"),
    }
}

/// Whether a field names an object.
pub(super) fn is_number(name: &str) -> bool {
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| name.ends_with(suffix));
    ends(&["_no", "_id", "_code", "_number", "billno"])
        && !ends(&["mch_id", "bank_alias_code", "area_code", "province_code", "city_code", "address_code"])
        && !SETTINGS.contains(&name)
}

/// Whether a field names a merchant, an app or a user, which no call of the product creates.
pub(super) fn is_account(name: &str) -> bool {
    ["mchid", "mch_id", "appid", "openid"].iter().any(|suffix| name.ends_with(suffix))
}

/// Whether a field is a number that the merchant assigns.
pub(super) fn is_merchants(name: &str) -> bool {
    is_number(name) && (name.starts_with("out_") || name.starts_with("merchant_") || MERCHANTS.contains(&name))
}

/// The other name that the variable of a path has in a template of the same shape.
pub(super) fn other_name(product: &str, name: &str) -> Option<&'static str> {
    match (product, name) {
        ("v3/apply4subject", "applyment_id") => Some("business_code"),
        ("v3/apply4subject", "business_code") => Some("applyment_id"),
        _ => None,
    }
}

/// A number as text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a call changes something. In APIv2, queries are sent by POST, too.
pub(super) fn changes(method: &str, path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let is_query = last.contains("query") || last.starts_with("get") || last.starts_with("download");
    method != "GET" && (!is_query || path.contains("v3/"))
}

/// Whether a call can create something.
pub(super) fn creates(method: &str, template: &str) -> bool {
    matches!(method, "POST" | "PUT") && changes(method, template)
}

/// Whether a path is that of a collection, to which a call adds something.
pub(super) fn is_collection(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.ends_with('s'))
}

/// The last segment of a path, if it is the name of a change.
pub(super) fn verb(path: &str) -> Option<&str> {
    path.rsplit(['/', '-']).next().filter(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// The record of the ledger that a number names.
pub(super) fn in_ledger(ledger: &Ledger, name: &str, value: &str) -> Option<Map<String, Value>> {
    let order = |key: Option<&String>| key.and_then(|key| ledger.orders.get(key)).map(resources::transaction);
    let record = match name {
        "out_trade_no" => order(ledger.find_order_key(value, None).as_ref()),
        "transaction_id" => order(ledger.by_transaction.get(value)),
        "combine_out_trade_no" => resources::combined_order(ledger, value),
        "out_refund_no" | "refund_id" => {
            let mut refunds = ledger.refunds.values();
            let refund = refunds.find(|refund| refund.out_refund_no == value || refund.refund_id == value);
            refund.map(resources::refund)
        }
        "mch_billno" => ledger.transfers.get(&format!("redpack-{value}")).map(resources::transfer),
        "out_bill_no" | "transfer_bill_no" => {
            let mut transfers = ledger.transfers.values();
            let transfer = transfers.find(|found| found.out_bill_no == value || found.transfer_bill_no == value);
            transfer.map(resources::transfer)
        }
        _ => None,
    };
    record.and_then(|record| record.as_object().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_names_an_object() {
        for (name, expected) in [
            ("out_trade_no", true),
            ("stock_id", true),
            ("mch_billno", true),
            ("sub_mchid", false),
            ("sub_mch_id", false),
            ("appid", false),
            ("openid", false),
            ("plan_id", false),
            ("total", false),
        ] {
            assert_eq!(is_number(name), expected, "{name}");
        }
        assert!(is_merchants("out_order_no") && is_merchants("mch_billno"));
        assert!(!is_merchants("order_id") && !is_merchants("out_of_stock"));
    }

    #[test]
    fn a_product_is_where_a_number_is_unique() {
        for (template, expected) in [
            ("v3/ecommerce/refunds/apply", "v3/ecommerce"),
            ("v3/marketing/favor/coupon-stocks", "v3/marketing/favor"),
            ("v2/secapi/pay/refund", "v2/pay"),
            ("v2/pay/refundquery", "v2/pay"),
        ] {
            assert_eq!(product(template), expected, "{template}");
        }
        assert!(!changes("POST", "/pay/refundquery") && !changes("POST", "/mmpaymkttransfers/gethbinfo"));
        assert!(changes("POST", "/pay/micropay") && changes("POST", "/v3/x/query"));
        assert_eq!((verb("/v3/x/1/cancel"), verb("/v3/x/A1")), (Some("cancel"), None));
    }
}
