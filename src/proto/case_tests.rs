//! Tests of the case rule.

use std::borrow::Cow;

use super::case::{normalize, without_capitals};

#[test]
fn names_are_converted_as_in_php() {
    for (name, text) in [
        ("v3", "v3"),
        ("membercardOpen", "membercard-open"),
        ("complaintsV2", "complaints-v2"),
        ("h5Presign", "h5-presign"),
        ("nQualifications", "n-qualifications"),
        ("transferToQqWalletBills", "transfer-to-qq-wallet-bills"),
        ("MerchantService", "merchant-service"),
        ("V3", "v3"),
        ("V3/pay", "v3/pay"),
        ("aggracctBc", "aggracct-bc"),
        ("planB", "plan-b"),
        ("_card_id_", "{card_id}"),
        ("_+path_", "{+path}"),
        ("_cardId_", "{cardId}"),
        ("{cardId}", "{cardId}"),
        ("<cardId>", "<cardId>"),
        ("_", "_"),
        ("v3/merchantService/complaintsV2", "v3/merchant-service/complaints-v2"),
        ("v3/merchantService/{complaintId}/x", "v3/merchant-service/{complaintId}/x"),
        ("h5PreEntrustSign", "h5-pre-entrust-sign"),
        ("applyment4subState", "applyment4sub-state"),
        ("v3/a%2Fb/%7Bx%7D", "v3/a%2Fb/%7Bx%7D"),
        ("v3/{Id}/x{?Y}", "v3/{Id}/x{?Y}"),
        ("v3/x?a={B}", "v3/x?a={B}"),
        ("{/cardId}", "{/cardId}"),
        ("v3/cards{/cardId}/x", "v3/cards{/cardId}/x"),
        ("v3/payScore{/cardId,Id}/permissionTokens", "v3/pay-score{/cardId,Id}/permission-tokens"),
        ("v3/{/a/B}/payScore", "v3/{/a/B}/pay-score"),
        ("pendingBills{?limit}", "pending-bills{?limit}"),
        ("v3/pendingBills{?limit,Offset}{&x}", "v3/pending-bills{?limit,Offset}{&x}"),
        ("PendingBills{/id}{;x}{.ext}", "pending-bills{/id}{;x}{.ext}"),
        ("v3/pendingBills{?a}?b=c", "v3/pending-bills{?a}?b=c"),
        ("_card", "_card"),
        ("v3/_card/x_", "v3/_card/x_"),
        ("v3/x?_a=_", "v3/x?_a=_"),
        ("v3/x:y/:1", "v3/x:y/:1"),
        ("secapi/pay/refund", "secapi/pay/refund"),
        ("v3/café/å", "v3/café/å"),
    ] {
        assert_eq!(normalize(name).map_err(|e| e.to_string()).as_deref(), Ok(text), "{name}");
    }
}

#[test]
fn names_that_php_would_corrupt_are_rejected() {
    for (name, segment) in [
        ("v3/cards/pbLatjvWOibDc5-TBnbUk1pD12o0/permission-tokens", "pbLatjvWOibDc5-TBnbUk1pD12o0"),
        ("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
        ("v3/V3/x", "V3"),
        ("v3/pay/Close", "Close"),
        ("ABC", "ABC"),
        ("a_B", "a_B"),
        ("PUB_KEY_ID_01", "PUB_KEY_ID_01"),
        ("order20240101T12", "order20240101T12"),
        ("v3/%C3%A9Abc", "%C3%A9Abc"),
        ("v3/orderNo42", "orderNo42"),
        ("orderNo1234567890", "orderNo1234567890"),
        ("Order1234567890", "Order1234567890"),
        ("oKcmmazhhyl3sXfRha9xQdp2Mp2G", "oKcmmazhhyl3sXfRha9xQdp2Mp2G"),
        ("v3/confirmStep2", "confirmStep2"),
        ("1aB", "1aB"),
        ("v3/x-Y", "x-Y"),
        ("v3/{x}Abc", "{x}Abc"),
        ("v3/orderNo{x}", "orderNo{x}"),
        ("v3/orderNo{/x}Abc", "orderNo{/x}Abc"),
        ("v3/pbLatjvWOibDc5{?limit}", "pbLatjvWOibDc5{?limit}"),
    ] {
        let error = normalize(name).map(Cow::into_owned).expect_err(name).to_string();
        assert!(error.contains(&format!("{segment:?} looks like a value")), "{error}");
    }
    let error = normalize("v3/bill?bill_type=ALL").expect_err("query").to_string();
    assert!(error.contains("give it as an option"), "{error}");
    let error = normalize("v3/_x_/y").expect_err("inside a path").to_string();
    assert!(error.contains("inside a path write {x}"), "{error}");
    for (name, shown) in [
        ("_a/b_", "_a/b_"),
        ("_a/b/c_", "_a/b/c_"),
        ("_a/b_?x=1", "_a/b_"),
        ("_a{x}_", "_a{x}_"),
        ("_<x>_", "_<x>_"),
        ("v3/_a{x}_/y", "_a{x}_"),
    ] {
        let error = normalize(name).expect_err("no variable").to_string();
        assert!(error.contains(&format!("{shown:?} begins and ends with \"_\"")), "{error}");
    }
    for (name, advice) in [
        ("v3/_x_{?limit}", "inside a path write {x}"),
        ("_x_{/y}", "inside a path write {x}"),
        ("_x_?a=b", "inside a path write {x}"),
        ("v3/:id{?limit}", "the segment \":id\", which is not a variable: write {id}"),
    ] {
        let error = normalize(name).expect_err(name).to_string();
        assert!(error.contains(advice), "{error}");
    }
    assert!(normalize("").is_err());
}

#[test]
fn capitals_of_a_path_given_at_run_time_are_rejected() {
    for (path, segment, name) in [
        ("v3/pay/transactions/out-trade-no/testOrder", "testOrder", "test-order"),
        ("v3/payScore/permissions", "payScore", "pay-score"),
        ("V3/pay", "V3", "v3"),
        ("v3/pendingBills{?limit}", "pendingBills{?limit}", "pending-bills{?limit}"),
        ("abC", "abC", "ab-c"),
    ] {
        let error = without_capitals(path).map(Cow::into_owned).expect_err(path).to_string();
        assert!(error.contains(&format!("{segment:?} has capitals")), "{error}");
        assert!(error.contains(&format!("write {name:?}")), "{error}");
        assert!(normalize(path).is_ok(), "{path}");
    }
    for path in ["v3/{Id}/x{?Y}", "v3/<cardId>", "v3/a%2Fb", "v3/x?a={B}", "_cardId_", "v3/x{/A,b}"] {
        assert_eq!(without_capitals(path).expect(path), normalize(path).expect(path));
    }
    // Other errors are the same.
    for path in ["v3/cards/pbLatjvWOibDc5", "v3/:Id", "v3/x?a=B", "", "https://api.mch.weixin.qq.com/v3/payScore"] {
        assert!(without_capitals(path).is_err(), "{path}");
    }
}
