//! Orders and refunds: which of their changes the service allows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MCHID;
use super::books::{Books, Kind, Refused, Table};

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum TradeState {
    NotPay,
    Success,
    /// Paid, and something of it was given back.
    Refund,
    Closed,
}

impl TradeState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            TradeState::NotPay => "NOTPAY",
            TradeState::Success => "SUCCESS",
            TradeState::Refund => "REFUND",
            TradeState::Closed => "CLOSED",
        }
    }

    pub(super) fn in_words(self) -> &'static str {
        match self {
            TradeState::NotPay => "订单未支付",
            TradeState::Success => "支付成功",
            TradeState::Refund => "转入退款",
            TradeState::Closed => "订单已关闭",
        }
    }
}

/// Through which API an order came, which is how it is answered and notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Api {
    V2,
    Direct,
    Partner,
    /// One of the orders of a combined one.
    Combined,
}

/// What the merchant asked for; an order that is placed again must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) api: Api,
    /// Whose order it is: the merchant, or the partner's merchant.
    pub(super) owner: String,
    pub(super) out_trade_no: String,
    /// `NATIVE`, `JSAPI`, `APP`, `MWEB`.
    pub(super) trade_type: String,
    pub(super) total: u64,
    pub(super) notify_url: String,
    pub(super) profit_sharing: bool,
    /// The combined order's number.
    pub(super) combine_out_trade_no: String,
    /// Everything that was asked for.
    pub(super) request: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) terms: Terms,
    pub(super) out_trade_no: String,
    pub(super) total: u64,
    pub(super) prepay_id: String,
    pub(super) state: TradeState,
    /// Set when it is paid.
    pub(super) transaction_id: String,
    pub(super) created_at: i64,
    pub(super) paid_at: i64,
    pub(super) refunded: u64,
    /// Given to receivers of shared profit, returns taken off.
    pub(super) shared: u64,
    /// Of it, still frozen for sharing.
    pub(super) frozen: u64,
    /// Whether its profit is all shared.
    pub(super) finished: bool,
}

impl Order {
    /// A text of what was asked for, by its JSON pointer.
    pub(super) fn asked(&self, pointer: &str) -> &str {
        self.terms.request.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    /// The key of its order.
    pub(super) order: String,
    pub(super) out_trade_no: String,
    pub(super) transaction_id: String,
    pub(super) out_refund_no: String,
    pub(super) refund_id: String,
    pub(super) amount: u64,
    pub(super) total: u64,
    pub(super) at: i64,
    pub(super) notify_url: String,
}

/// What is asked of a refund.
pub(super) struct Refunding<'a> {
    pub(super) out_refund_no: &'a str,
    pub(super) amount: u64,
    pub(super) total: u64,
    pub(super) notify_url: &'a str,
}

/// The key of an order: numbers are the merchant's own.
pub(super) fn key(owner: &str, out_trade_no: &str) -> String {
    format!("{owner}/{out_trade_no}")
}

impl Books {
    /// Places an order; placed again on the same terms it is the same order.
    pub(super) fn place(&mut self, terms: Terms, now: i64) -> Result<&Order, Refused> {
        let key = key(&terms.owner, &terms.out_trade_no);
        self.may_place(&terms)?;
        if !self.orders.contains_key(&key) {
            let order = Order {
                out_trade_no: terms.out_trade_no.clone(),
                total: terms.total,
                prepay_id: self.number("wx", now),
                terms,
                state: TradeState::NotPay,
                transaction_id: String::new(),
                created_at: now,
                paid_at: 0,
                refunded: 0,
                shared: 0,
                frozen: 0,
                finished: false,
            };
            self.orders.insert(key.clone(), order);
            self.touch_order(&key);
        }
        self.orders.get(&key).ok_or(Refused::Unknown)
    }

    /// Whether [`place`](Self::place) would.
    pub(super) fn may_place(&self, terms: &Terms) -> Result<(), Refused> {
        match self.orders.get(&key(&terms.owner, &terms.out_trade_no)) {
            None => Ok(()),
            Some(known) => match known.state {
                TradeState::Success | TradeState::Refund => Err(Refused::Paid),
                TradeState::Closed => Err(Refused::Closed),
                TradeState::NotPay if known.terms != *terms => Err(Refused::NumberUsed),
                TradeState::NotPay => Ok(()),
            },
        }
    }

    /// By the merchant's number, or else by the service's.
    pub(super) fn order(&self, owner: &str, out_trade_no: &str, transaction_id: &str) -> Result<&Order, Refused> {
        let key = if out_trade_no.is_empty() {
            self.by_transaction.get(transaction_id).ok_or(Refused::Unknown)?.clone()
        } else {
            key(owner, out_trade_no)
        };
        self.orders.get(&key).filter(|order| order.terms.owner == owner).ok_or(Refused::Unknown)
    }

    /// The keys of what a buyer knows by this number: all of a combined order, or the one order of this merchant's, or else of a partner's.
    pub(super) fn numbered(&self, out_trade_no: &str) -> Vec<String> {
        let found = self.one(out_trade_no);
        // One of a combined order is paid with the others.
        let combined =
            found.as_ref().and_then(|key| self.orders.get(key)).map(|order| &order.terms.combine_out_trade_no);
        let combined = combined.map_or(out_trade_no, String::as_str);
        if combined.is_empty() { found.into_iter().collect() } else { self.combined(combined) }
    }

    /// The key of the one order of this number: the merchant's, or else a partner's.
    pub(super) fn one(&self, out_trade_no: &str) -> Option<String> {
        let own = key(MCHID, out_trade_no);
        if self.orders.contains_key(&own) {
            return Some(own);
        }
        self.orders.iter().find(|(_, order)| order.out_trade_no == out_trade_no).map(|(key, _)| key.clone())
    }

    /// The keys of all of a combined order.
    pub(super) fn combined(&self, combine_out_trade_no: &str) -> Vec<String> {
        let of = |order: &Order| {
            !combine_out_trade_no.is_empty() && order.terms.combine_out_trade_no == combine_out_trade_no
        };
        self.orders.iter().filter(|(_, order)| of(order)).map(|(key, _)| key.clone()).collect()
    }

    /// Whether a buyer can pay it.
    pub(super) fn may_pay(&self, key: &str) -> Result<(), Refused> {
        match self.orders.get(key).ok_or(Refused::Unknown)?.state {
            TradeState::Success | TradeState::Refund => Err(Refused::Paid),
            TradeState::Closed => Err(Refused::Closed),
            TradeState::NotPay => Ok(()),
        }
    }

    /// The buyer pays.
    pub(super) fn pay(&mut self, key: &str, now: i64) -> Result<&Order, Refused> {
        self.may_pay(key)?;
        let transaction_id = self.number("42000011", now);
        let order = self.orders.get_mut(key).ok_or(Refused::Unknown)?;
        order.state = TradeState::Success;
        order.transaction_id.clone_from(&transaction_id);
        order.paid_at = now;
        if order.terms.profit_sharing {
            order.frozen = order.total;
            self.account.frozen += order.total;
        } else {
            self.account.available += order.total;
        }
        let (number, total) = (order.out_trade_no.clone(), order.total);
        self.by_transaction.insert(transaction_id.clone(), key.to_owned());
        self.enter(Kind::Payment, &transaction_id, &number, total, now);
        self.touch_order(key);
        self.orders.get(key).ok_or(Refused::Unknown)
    }

    /// Nobody can pay it any more. Closed twice it stays closed.
    pub(super) fn close(&mut self, key: &str) -> Result<(), Refused> {
        let order = self.orders.get_mut(key).ok_or(Refused::Unknown)?;
        match order.state {
            TradeState::Success | TradeState::Refund => return Err(Refused::Paid),
            TradeState::NotPay | TradeState::Closed => order.state = TradeState::Closed,
        }
        self.touch_order(key);
        Ok(())
    }

    /// Gives back some of an order. Asked again under the same number it is the same refund.
    pub(super) fn refund(&mut self, key: &str, asked: &Refunding<'_>, now: i64) -> Result<&Refund, Refused> {
        let order = self.orders.get(key).ok_or(Refused::Unknown)?;
        if !matches!(order.state, TradeState::Success | TradeState::Refund) {
            return Err(Refused::NotPaid);
        }
        if order.total != asked.total {
            return Err(Refused::WrongTotal);
        }
        let refund_key = self::key(&order.terms.owner, asked.out_refund_no);
        if let Some(known) = self.refunds.get(&refund_key) {
            if known.order != key || known.amount != asked.amount {
                return Err(Refused::NumberUsed);
            }
            return self.refunds.get(&refund_key).ok_or(Refused::Unknown);
        }
        if asked.amount == 0 || asked.amount > order.total - order.refunded - order.shared {
            return Err(Refused::TooMuch);
        }
        // What is frozen of this order goes first.
        let from_frozen = asked.amount.min(order.frozen);
        let from_available = asked.amount - from_frozen;
        if from_available > self.account.available {
            return Err(Refused::NotEnough);
        }
        let refund = Refund {
            order: key.to_owned(),
            out_trade_no: order.out_trade_no.clone(),
            transaction_id: order.transaction_id.clone(),
            out_refund_no: asked.out_refund_no.to_owned(),
            refund_id: self.number("5030", now),
            amount: asked.amount,
            total: asked.total,
            at: now,
            notify_url: asked.notify_url.to_owned(),
        };
        self.account.frozen -= from_frozen;
        self.account.available -= from_available;
        if let Some(order) = self.orders.get_mut(key) {
            order.frozen -= from_frozen;
            order.refunded += asked.amount;
            order.state = TradeState::Refund;
        }
        self.enter(Kind::Refund, &refund.refund_id, &refund.out_refund_no, refund.amount, now);
        self.touch_order(key);
        self.touch(Table::Refunds, refund_key.as_str(), &refund);
        Ok(self.refunds.entry(refund_key).or_insert(refund))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::sandbox) fn terms(number: &str, total: u64, profit_sharing: bool) -> Terms {
        Terms {
            api: Api::Direct,
            owner: "m".to_owned(),
            out_trade_no: number.to_owned(),
            trade_type: "NATIVE".to_owned(),
            total,
            notify_url: String::new(),
            profit_sharing,
            combine_out_trade_no: String::new(),
            request: Value::Null,
        }
    }

    fn asked(out_refund_no: &str, amount: u64, total: u64) -> Refunding<'_> {
        Refunding { out_refund_no, amount, total, notify_url: "" }
    }

    #[test]
    fn the_way_of_an_order() {
        let mut books = Books::default();
        let first = books.place(terms("1", 100, false), 1).expect("order").prepay_id.clone();
        assert_eq!(books.place(terms("1", 100, false), 2).expect("the same").prepay_id, first);
        assert_eq!(books.place(terms("1", 101, false), 2).expect_err("other terms"), Refused::NumberUsed);
        assert_eq!(books.refund("m/1", &asked("r", 1, 100), 2).expect_err("not paid"), Refused::NotPaid);
        let transaction_id = books.pay("m/1", 3).expect("paid").transaction_id.clone();
        assert_eq!(books.pay("m/1", 4).expect_err("twice"), Refused::Paid);
        assert_eq!(books.place(terms("1", 100, false), 4).expect_err("paid"), Refused::Paid);
        assert_eq!(books.close("m/1"), Err(Refused::Paid));
        assert_eq!(books.order("m", "", &transaction_id).expect("found").paid_at, 3);
        assert_eq!(books.order("n", "", &transaction_id).expect_err("another's"), Refused::Unknown);
        assert_eq!(books.refund("m/1", &asked("r1", 60, 100), 5).expect("refund").amount, 60);
        assert_eq!(books.refund("m/1", &asked("r1", 60, 100), 6).expect("the same").amount, 60);
        assert_eq!(books.refund("m/1", &asked("r1", 61, 100), 6).expect_err("other"), Refused::NumberUsed);
        assert_eq!(books.refund("m/1", &asked("r2", 41, 100), 6).expect_err("too much"), Refused::TooMuch);
        assert_eq!(books.refund("m/1", &asked("r2", 40, 99), 6).expect_err("total"), Refused::WrongTotal);
        assert_eq!(books.refund("m/1", &asked("r2", 0, 100), 6).expect_err("nothing"), Refused::TooMuch);
        books.refund("m/1", &asked("r2", 40, 100), 6).expect("the rest");
        let order = books.order("m", "1", "").expect("order");
        assert_eq!((order.refunded, order.state.as_str()), (100, "REFUND"));
        assert_eq!(books.order("m", "", "").expect_err("nothing"), Refused::Unknown);
        books.audit().expect("balanced");
    }

    #[test]
    fn a_closed_order() {
        let mut books = Books::default();
        assert_eq!(books.close("m/1"), Err(Refused::Unknown));
        books.place(terms("1", 100, false), 1).expect("order");
        assert_eq!((books.close("m/1"), books.close("m/1")), (Ok(()), Ok(())));
        assert_eq!(books.pay("m/1", 1).expect_err("closed"), Refused::Closed);
        assert_eq!(books.place(terms("1", 100, false), 1).expect_err("closed"), Refused::Closed);
    }

    #[test]
    fn books_that_do_not_balance_are_seen() {
        let mut books = Books::default();
        books.place(terms("1", 100, true), 1).expect("order");
        books.pay("m/1", 1).expect("paid");
        books.audit().expect("balanced");
        books.account.available += 1;
        assert!(books.audit().expect_err("a fen too much").contains("are not"));
        books.account = crate::sandbox::books::Account { available: books.account.available + 99, frozen: 0 };
        assert!(books.audit().is_err());
    }

    #[test]
    fn what_is_kept_comes_back() {
        let mut books = Books::default();
        books.place(terms("1", 100, false), 1).expect("order");
        books.pay("m/1", 3).expect("paid");
        books.refund("m/1", &asked("r1", 60, 100), 5).expect("refund");
        let mut again = Books::default();
        for change in books.take_changes() {
            again.restore(change.table, &change.key, &change.row).expect("row");
        }
        assert_eq!(again.account, books.account);
        assert_eq!(again.order("m", "1", "").expect("order").refunded, 60);
        again.audit().expect("balanced");
        assert!(books.take_changes().is_empty());
        assert!(again.restore(Table::Orders, "x", b"{}").is_err());
    }
}
