//! Tests of the ledger's rules.

use serde_json::{Value, json};

use super::ledger::{Ledger, LedgerError, OPENING_BALANCE};
use super::ledger_profit_sharing::{NewSharing, Rest};
use super::ledger_records::{
    Account, OrderApi, OrderTerms, ReceiverResult, RefundStatus, SharingReceiver, TradeState, TradeType,
};
use super::ledger_refunds::{NewRefund, Refunded};
use super::rows::{RowChange, Table};

fn terms(number: &str, total: u64, profit_sharing: bool) -> OrderTerms {
    OrderTerms {
        api: OrderApi::Direct,
        owner: "m".to_owned(),
        out_trade_no: number.to_owned(),
        trade_type: TradeType::Native,
        total,
        notify_url: String::new(),
        profit_sharing,
        combine_out_trade_no: None,
        request: Value::Null,
    }
}

fn refund(
    ledger: &mut Ledger,
    key: &str,
    (number, amount, total): (&str, u64, u64),
    now: i64,
) -> Result<u64, LedgerError> {
    let new = NewRefund { out_refund_no: number, amount, total, notify_url: None, reason: None };
    let refunded = ledger.refund(key, &new, now)?;
    if let Refunded::New(_) = &refunded {
        ledger.end_refund(&format!("m/{number}"), RefundStatus::Success, now).expect("ended");
    }
    Ok(refunded.refund().amount)
}

/// Starts a profit sharing with one receiver.
fn begin_sharing(
    ledger: &mut Ledger,
    order: &str,
    (number, amount): (&str, u64),
    (rest, request): (Rest, &Value),
    now: i64,
) -> Result<(), LedgerError> {
    let receivers = vec![SharingReceiver::new("MERCHANT_ID", "1", amount, "d")];
    let new = NewSharing { out_order_no: number, receivers, rest, request };
    ledger.share_profit(order, new, now).map(drop)
}

/// Shares an amount with one receiver, which receives it at once.
fn share(
    ledger: &mut Ledger,
    order: &str,
    (number, amount): (&str, u64),
    (rest, request): (Rest, &Value),
    now: i64,
) -> Result<(), LedgerError> {
    begin_sharing(ledger, order, (number, amount), (rest, request), now)?;
    let key = format!("m/{number}");
    if !ledger.sharings[&key].is_finished() {
        ledger.end_sharing(&key, None, (ReceiverResult::Success, None), now)?;
    }
    Ok(())
}

#[test]
fn an_order_is_placed_paid_and_refunded() {
    let mut ledger = Ledger::default();
    let first = ledger.place(terms("1", 100, false), 1).expect("order").prepay_id.clone();
    assert_eq!(ledger.place(terms("1", 100, false), 2).expect("the same").prepay_id, first);
    assert_eq!(ledger.place(terms("1", 101, false), 2).expect_err("other terms"), LedgerError::NumberUsed);
    assert_eq!(refund(&mut ledger, "m/1", ("r", 1, 100), 2), Err(LedgerError::NotPaid));
    let transaction_id = ledger.pay("m/1", 3).expect("paid");
    assert_eq!(ledger.pay("m/1", 4).expect_err("twice"), LedgerError::AlreadyPaid);
    assert_eq!(ledger.place(terms("1", 100, false), 4).expect_err("paid"), LedgerError::AlreadyPaid);
    assert_eq!(ledger.close("m/1"), Err(LedgerError::AlreadyPaid));
    let paid = ledger.order("m", "", &transaction_id).expect("found").payment.clone();
    assert_eq!(paid.expect("payment").paid_at, 3);
    assert_eq!(ledger.order("n", "", &transaction_id).expect_err("another merchant"), LedgerError::NotFound);
    assert_eq!(refund(&mut ledger, "m/1", ("r1", 60, 100), 5), Ok(60));
    assert_eq!(refund(&mut ledger, "m/1", ("r1", 60, 100), 6), Ok(60), "the same refund");
    assert_eq!(refund(&mut ledger, "m/1", ("r1", 61, 100), 6), Err(LedgerError::NumberUsed));
    assert_eq!(refund(&mut ledger, "m/1", ("r2", 41, 100), 6), Err(LedgerError::ExceedsRemaining));
    assert_eq!(refund(&mut ledger, "m/1", ("r2", 40, 99), 6), Err(LedgerError::TotalMismatch));
    assert_eq!(refund(&mut ledger, "m/1", ("r2", 0, 100), 6), Err(LedgerError::ExceedsRemaining));
    refund(&mut ledger, "m/1", ("r2", 40, 100), 6).expect("the rest");
    let order = ledger.order("m", "1", "").expect("order");
    assert_eq!((order.refunded, order.state.as_str()), (100, "REFUND"));
    assert_eq!(ledger.order("m", "", "").expect_err("no number"), LedgerError::NotFound);
    assert_eq!(ledger.order("m", "1", "x").expect_err("two orders"), LedgerError::NumbersDiffer);
    ledger.audit().expect("balanced");
}

#[test]
fn a_closed_order_stays_closed() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.close("m/1"), Err(LedgerError::NotFound));
    ledger.place(terms("1", 100, false), 1).expect("order");
    assert_eq!((ledger.close("m/1"), ledger.close("m/1")), (Ok(()), Ok(())));
    assert_eq!(ledger.pay("m/1", 1).expect_err("closed"), LedgerError::Closed);
    assert_eq!(ledger.place(terms("1", 100, false), 1).expect_err("closed"), LedgerError::Closed);
}

#[test]
fn an_order_cannot_be_paid_after_its_time_expire() {
    let mut ledger = Ledger::default();
    // Both are 2018-06-08 10:34:56 in China.
    let expiry = 1_528_425_296;
    for (number, api, time) in
        [("1", OrderApi::Direct, "2018-06-08T10:34:56+08:00"), ("2", OrderApi::V2, "20180608103456")]
    {
        let terms = OrderTerms { api, request: json!({ "time_expire": time }), ..terms(number, 100, false) };
        let key = ledger.place(terms, 1).expect("order").key();
        assert_eq!(ledger.pay(&key, expiry).expect_err("too late"), LedgerError::Expired);
        assert_eq!(ledger.check_pay(&key, expiry - 1), Ok(()));
        ledger.pay(&key, expiry - 1).expect("in time");
    }
    ledger.audit().expect("balanced");
}

#[test]
fn audit_reports_imbalance() {
    let mut ledger = Ledger::default();
    ledger.place(terms("1", 100, true), 1).expect("order");
    ledger.pay("m/1", 1).expect("paid");
    ledger.audit().expect("balanced");
    ledger.account.available += 1;
    assert!(ledger.audit().expect_err("a fen too much").contains("do not add up"));
    ledger.account = Account { available: ledger.account.available + 99, frozen: 0 };
    assert!(ledger.audit().is_err());
}

#[test]
fn persisted_rows_restore_the_ledger() {
    let mut ledger = Ledger::default();
    ledger.place(terms("1", 100, false), 1).expect("order");
    ledger.place(terms("2", 100, false), 1).expect("order");
    ledger.pay("m/1", 3).expect("paid");
    refund(&mut ledger, "m/1", ("r1", 60, 100), 5).expect("refund");
    let mut restored = Ledger::default();
    for change in ledger.take_changes() {
        let RowChange::Write(row) = change.row else { panic!("nothing was deleted") };
        restored.restore(change.table, &change.key, &row).expect("row");
    }
    assert_eq!(restored.account, ledger.account);
    assert_eq!(restored.order("m", "1", "").expect("order").refunded, 60);
    assert!(restored.order("m", "2", "").expect("order").payment.is_none());
    restored.audit().expect("balanced");
    assert!(ledger.take_changes().is_empty() && restored.take_changes().is_empty());
    assert!(restored.restore(Table::Orders, "x", b"{}").is_err());
}

#[test]
fn a_transfer_is_confirmed_or_cancelled() {
    let mut ledger = Ledger::default();
    let request = json!({ "a": 1 });
    assert_eq!(
        ledger.transfer("1", OPENING_BALANCE + 1, &request, 1).expect_err("too much"),
        LedgerError::InsufficientFunds
    );
    let number = ledger.transfer("1", 100, &request, 1).expect("transfer").transfer_bill_no.clone();
    assert_eq!(ledger.account.available, OPENING_BALANCE - 100);
    assert_eq!(ledger.transfer("1", 100, &request, 2).expect("the same").transfer_bill_no, number);
    assert_eq!(ledger.account.available, OPENING_BALANCE - 100);
    assert_eq!(ledger.transfer("1", 100, &json!({}), 2).expect_err("other request"), LedgerError::NumberUsed);
    ledger.confirm_transfer("1", 3).expect("confirmed");
    assert_eq!(ledger.fail_transfer("1", "OVERDUE_CLOSE", 4).expect_err("too late"), LedgerError::WrongState);
    assert_eq!(ledger.cancel_transfer("1", 4).expect_err("too late"), LedgerError::WrongState);
    assert_eq!(ledger.confirm_transfer("1", 4).expect_err("twice"), LedgerError::WrongState);
    ledger.transfer("2", 50, &request, 5).expect("transfer");
    ledger.cancel_transfer("2", 6).expect("cancelled");
    ledger.cancel_transfer("2", 7).expect("again");
    assert_eq!(ledger.confirm_transfer("2", 8).expect_err("too late"), LedgerError::WrongState);
    assert_eq!(ledger.account.available, OPENING_BALANCE - 100);
    assert_eq!(ledger.confirm_transfer("3", 8).expect_err("none"), LedgerError::NotFound);
    ledger.transfer("4", 70, &request, 8).expect("transfer");
    ledger.fail_transfer("4", "OVERDUE_CLOSE", 9).expect("failed");
    assert_eq!(ledger.fail_transfer("4", "OVERDUE_CLOSE", 9).expect_err("twice"), LedgerError::WrongState);
    assert_eq!(ledger.cancel_transfer("4", 9).expect_err("failed"), LedgerError::WrongState);
    assert_eq!(ledger.confirm_transfer("4", 9).expect_err("failed"), LedgerError::WrongState);
    assert_eq!(ledger.account.available, OPENING_BALANCE - 100);
    ledger.audit().expect("balanced");
}

#[test]
fn profit_is_shared_and_returned() {
    let mut ledger = Ledger::default();
    ledger.place(terms("1", 100, true), 1).expect("order");
    ledger.place(terms("2", 100, false), 1).expect("order");
    let request = json!({ "a": 1 });
    let rest = Rest::StaysFrozen;
    assert_eq!(share(&mut ledger, "m/1", ("s", 1), (rest, &request), 1).expect_err("early"), LedgerError::NotPaid);
    ledger.pay("m/1", 2).expect("paid");
    ledger.pay("m/2", 2).expect("paid");
    assert_eq!((ledger.account.available, ledger.account.frozen), (OPENING_BALANCE + 100, 100));
    let error = share(&mut ledger, "m/2", ("s", 1), (rest, &request), 3).expect_err("not for sharing");
    assert_eq!(error, LedgerError::NotForSharing);
    let error = share(&mut ledger, "m/1", ("s", 101), (rest, &request), 3).expect_err("more");
    assert_eq!(error, LedgerError::ExceedsRemaining);
    share(&mut ledger, "m/1", ("s", 20), (rest, &request), 3).expect("shared");
    share(&mut ledger, "m/1", ("s", 20), (rest, &request), 3).expect("the same");
    let error = share(&mut ledger, "m/1", ("s", 20), (rest, &json!({})), 3).expect_err("other request");
    assert_eq!(error, LedgerError::NumberUsed);
    let error = share(&mut ledger, "m/1", ("t", 11), (rest, &request), 3).expect_err("more than 30 %");
    assert_eq!(error, LedgerError::AboveRatio);
    refund(&mut ledger, "m/1", ("r", 20, 100), 4).expect("refund");
    assert_eq!(ledger.account.frozen, 60);
    share(&mut ledger, "m/1", ("t", 10), (Rest::Unfreezes, &request), 5).expect("the last");
    assert_eq!((ledger.account.available, ledger.account.frozen), (OPENING_BALANCE + 150, 0));
    let error = share(&mut ledger, "m/1", ("u", 1), (rest, &request), 6).expect_err("over");
    assert_eq!(error, LedgerError::NotForSharing);
    ledger.return_profit("m/s", "b", 10, &request, 7).expect("returned");
    ledger.return_profit("m/s", "b", 10, &request, 7).expect("the same");
    let error = ledger.return_profit("m/s", "b", 10, &json!({}), 7).expect_err("other request");
    assert_eq!(error, LedgerError::NumberUsed);
    let error = ledger.return_profit("m/s", "c", 21, &request, 7).expect_err("more");
    assert_eq!(error, LedgerError::ExceedsRemaining);
    assert_eq!(ledger.return_profit("m/x", "c", 1, &request, 7).expect_err("none"), LedgerError::NotFound);
    assert_eq!(ledger.account.available, OPENING_BALANCE + 160);
    ledger.audit().expect("balanced");
}

#[test]
fn a_refund_under_way_is_frozen() {
    let mut ledger = Ledger::default();
    ledger.place(terms("1", 100, true), 1).expect("order");
    ledger.pay("m/1", 1).expect("paid");
    share(&mut ledger, "m/1", ("s", 20), (Rest::StaysFrozen, &json!({})), 2).expect("shared");
    let account = |available, frozen| Account { available: OPENING_BALANCE + available, frozen };
    let begin = |ledger: &mut Ledger, number: &str, amount| {
        let new = NewRefund { out_refund_no: number, amount, total: 100, notify_url: None, reason: None };
        ledger.refund("m/1", &new, 3).map(drop)
    };
    begin(&mut ledger, "r", 80).expect("refund");
    assert_eq!((ledger.account, ledger.orders["m/1"].frozen), (account(0, 80), 0));
    ledger.audit().expect("balanced");
    // The refunded amount cannot be shared or refunded again.
    let error = share(&mut ledger, "m/1", ("t", 1), (Rest::StaysFrozen, &json!({})), 4).expect_err("nothing left");
    assert_eq!(error, LedgerError::ExceedsRemaining);
    assert_eq!(begin(&mut ledger, "r2", 1), Err(LedgerError::ExceedsRemaining));
    // The amount of an abnormal refund stays frozen, and the refund can only succeed.
    ledger.end_refund("m/r", RefundStatus::Abnormal, 5).expect("abnormal");
    assert_eq!(ledger.account, account(0, 80));
    assert_eq!(ledger.end_refund("m/r", RefundStatus::Closed, 6).expect_err("no way"), LedgerError::WrongState);
    ledger.redirect_refund("m/r", "x".to_owned()).expect("another account");
    assert_eq!(ledger.redirect_refund("m/r", "x".to_owned()).expect_err("twice"), LedgerError::WrongState);
    // The amount of a closed refund is frozen for profit sharing again.
    ledger.end_refund("m/r", RefundStatus::Closed, 7).expect("closed");
    assert_eq!((ledger.account, ledger.orders["m/1"].frozen), (account(0, 80), 80));
    assert_eq!(ledger.end_refund("m/r", RefundStatus::Success, 7).expect_err("over"), LedgerError::WrongState);
    ledger.audit().expect("balanced");
    // If the profit sharing has ended in the meantime, the amount is available.
    begin(&mut ledger, "r3", 30).expect("refund");
    share(&mut ledger, "m/1", ("u", 0), (Rest::Unfreezes, &json!({})), 8).expect("unfrozen");
    assert_eq!(ledger.account, account(50, 30));
    ledger.end_refund("m/r3", RefundStatus::Closed, 9).expect("closed");
    assert_eq!(ledger.account, account(80, 0));
    ledger.audit().expect("balanced");
}

#[test]
fn receivers_get_their_results_one_by_one() {
    let mut ledger = Ledger::default();
    ledger.place(terms("1", 100, true), 1).expect("order");
    ledger.pay("m/1", 1).expect("paid");
    let receiver = |account, amount| SharingReceiver::new("MERCHANT_ID", account, amount, "d");
    let receivers = vec![receiver("a", 10), receiver("b", 15), receiver("c", 5)];
    let new = NewSharing { out_order_no: "s", receivers, rest: Rest::Unfreezes, request: &json!({}) };
    ledger.share_profit("m/1", new, 2).expect("begun");
    let account = |available, frozen| Account { available: OPENING_BALANCE + available, frozen };
    assert_eq!((ledger.account, ledger.orders["m/1"].in_sharing), (account(0, 100), 100));
    ledger.audit().expect("balanced");
    let success = (ReceiverResult::Success, None);
    let closed = (ReceiverResult::Closed, Some("NO_RELATION"));
    assert_eq!(ledger.end_sharing("m/s", Some("x"), success, 3), Err(LedgerError::NotFound));
    assert_eq!(ledger.end_sharing("m/s", Some("a"), success, 3).expect("ended").len(), 1);
    assert_eq!(ledger.end_sharing("m/s", Some("a"), closed, 3), Err(LedgerError::WrongState));
    // The merchant receives the remaining amount last.
    assert_eq!(ledger.end_sharing("m/s", Some("m"), success, 3), Err(LedgerError::WrongState));
    assert_eq!(ledger.account, account(0, 90));
    assert_eq!(ledger.end_sharing("m/s", Some("b"), closed, 4).expect("ended"), []);
    assert_eq!(ledger.account, account(15, 75));
    ledger.audit().expect("balanced");
    let error = ledger.return_profit("m/s", "r", 11, &json!({}), 5).expect_err("only 10 were received");
    assert_eq!(error, LedgerError::ExceedsRemaining);
    ledger.end_sharing("m/s", None, success, 6).expect("ended");
    assert_eq!(ledger.account, account(85, 0));
    let (sharing, order) = (&ledger.sharings["m/s"], &ledger.orders["m/1"]);
    assert!(sharing.is_finished() && sharing.receivers[3].is_merchant);
    assert_eq!((sharing.received(), order.shared, order.in_sharing), (15, 15, 0));
    assert_eq!(ledger.end_sharing("m/s", None, success, 7), Err(LedgerError::WrongState));
    ledger.audit().expect("balanced");
}

/// The buyer does not confirm a payment with a code before the order expires.
#[test]
fn a_payment_in_progress_ends_with_its_time() {
    let mut ledger = Ledger::default();
    let expiry = 1_528_425_296;
    let request = json!({ "time_expire": "20180608103456" });
    let v2 = OrderTerms { api: OrderApi::V2, trade_type: TradeType::Micropay, request, ..terms("1", 100, false) };
    let key = ledger.place(v2, 1).expect("order").key();
    assert_eq!(ledger.orders[&key].state, TradeState::UserPaying);
    assert_eq!(ledger.expire(&key, expiry - 1), Err(LedgerError::Paying));
    assert_eq!(ledger.expire(&key, expiry), Ok(()));
    assert_eq!(ledger.orders[&key].state, TradeState::Closed);
    ledger.audit().expect("balanced");
}

#[test]
fn a_payment_is_shared_or_taken_back() {
    let mut ledger = Ledger::default();
    for number in ["1", "2"] {
        let terms = OrderTerms { trade_type: TradeType::Micropay, ..terms(number, 100, true) };
        let key = ledger.place(terms, 1).expect("order").key();
        ledger.pay(&key, 1).expect("paid");
    }
    let unfreeze =
        |number| NewSharing { out_order_no: number, receivers: vec![], rest: Rest::Unfreezes, request: &Value::Null };
    ledger.share_profit("m/1", unfreeze("s1"), 2).expect("begun");
    assert_eq!(ledger.reverse("m/1", 2), Err(LedgerError::WrongState));
    ledger.reverse("m/2", 2).expect("taken back");
    assert_eq!(ledger.share_profit("m/2", unfreeze("s2"), 2).map(drop), Err(LedgerError::Revoked));
    ledger.audit().expect("balanced");
}

#[test]
fn unpaid_orders_fail_and_expire() {
    let mut ledger = Ledger::default();
    ledger.place(terms("1", 100, false), 1).expect("order");
    assert_eq!(ledger.fail_payment("m/1"), Err(LedgerError::NotDocumented));
    assert_eq!((ledger.expire("m/1", 2), ledger.expire("m/1", 2)), (Ok(()), Err(LedgerError::Closed)));
    let v2 = OrderTerms { api: OrderApi::V2, ..terms("2", 100, false) };
    ledger.place(v2.clone(), 1).expect("order");
    assert_eq!((ledger.fail_payment("m/2"), ledger.fail_payment("m/2")), (Ok(()), Err(LedgerError::PaymentFailed)));
    assert_eq!(ledger.pay("m/2", 2), Err(LedgerError::PaymentFailed));
    assert_eq!(ledger.place(v2, 2).expect_err("another number"), LedgerError::PaymentFailed);
    ledger.close("m/2").expect("closed");
    assert_eq!(ledger.orders["m/2"].state, TradeState::Closed);
    ledger.place(terms("3", 100, false), 1).expect("order");
    ledger.pay("m/3", 1).expect("paid");
    assert_eq!(
        (ledger.expire("m/3", 2), ledger.fail_payment("m/3")),
        (Err(LedgerError::AlreadyPaid), Err(LedgerError::AlreadyPaid))
    );
    ledger.audit().expect("balanced");
}
