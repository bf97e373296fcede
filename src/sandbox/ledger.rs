//! The books: orders and refunds, and which of their changes the service allows. Money is in fen, and always adds up.

use std::collections::BTreeMap;

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// What the merchant asked for; an order that is placed again must be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) appid: String,
    pub(super) description: String,
    pub(super) attach: String,
    pub(super) notify_url: String,
    pub(super) trade_type: String,
    pub(super) openid: String,
    /// In fen.
    pub(super) total: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) out_trade_no: String,
    pub(super) terms: Terms,
    pub(super) prepay_id: String,
    pub(super) state: TradeState,
    /// Set when it is paid.
    pub(super) transaction_id: String,
    /// Seconds since 1970, when it was paid.
    pub(super) paid_at: i64,
    /// In fen.
    pub(super) refunded: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Refund {
    pub(super) out_refund_no: String,
    pub(super) out_trade_no: String,
    pub(super) refund_id: String,
    /// In fen.
    pub(super) amount: u64,
}

/// Why a change is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    /// The number is taken by another order.
    NumberUsed,
    Paid,
    Closed,
    NotPaid,
    /// More than is left of the order.
    TooMuch,
    /// The total that was named is not the order's.
    WrongTotal,
}

/// A merchant's orders by `out_trade_no`, and refunds by `out_refund_no`.
#[derive(Default)]
pub(super) struct Ledger {
    orders: BTreeMap<String, Order>,
    refunds: BTreeMap<String, Refund>,
    /// Numbers that the service gives out.
    counter: u64,
}

impl Ledger {
    fn number(&mut self, prefix: &str, now: i64) -> String {
        self.counter += 1;
        format!("{prefix}{now:010}{:012}", self.counter)
    }

    /// Places an order; placed again on the same terms it is the same order.
    pub(super) fn place(&mut self, out_trade_no: &str, terms: Terms, now: i64) -> Result<&Order, Refused> {
        if let Some(known) = self.orders.get(out_trade_no) {
            match known.state {
                TradeState::Success | TradeState::Refund => return Err(Refused::Paid),
                TradeState::Closed => return Err(Refused::Closed),
                TradeState::NotPay if known.terms != terms => return Err(Refused::NumberUsed),
                TradeState::NotPay => {}
            }
        }
        let prepay_id = self.number("wx", now);
        Ok(self.orders.entry(out_trade_no.to_owned()).or_insert_with(|| Order {
            out_trade_no: out_trade_no.to_owned(),
            terms,
            prepay_id,
            state: TradeState::NotPay,
            transaction_id: String::new(),
            paid_at: 0,
            refunded: 0,
        }))
    }

    /// By the merchant's number, or else by the service's.
    pub(super) fn order(&self, out_trade_no: &str, transaction_id: &str) -> Result<&Order, Refused> {
        let found = if out_trade_no.is_empty() {
            self.orders.values().find(|order| !transaction_id.is_empty() && order.transaction_id == transaction_id)
        } else {
            self.orders.get(out_trade_no)
        };
        found.ok_or(Refused::Unknown)
    }

    /// The buyer pays.
    pub(super) fn pay(&mut self, out_trade_no: &str, now: i64) -> Result<&Order, Refused> {
        let transaction_id = self.number("4200", now);
        let order = self.orders.get_mut(out_trade_no).ok_or(Refused::Unknown)?;
        match order.state {
            TradeState::Success | TradeState::Refund => return Err(Refused::Paid),
            TradeState::Closed => return Err(Refused::Closed),
            TradeState::NotPay => {}
        }
        order.state = TradeState::Success;
        order.transaction_id = transaction_id;
        order.paid_at = now;
        Ok(order)
    }

    /// Nobody can pay it any more. Closed twice it stays closed.
    pub(super) fn close(&mut self, out_trade_no: &str) -> Result<(), Refused> {
        let order = self.orders.get_mut(out_trade_no).ok_or(Refused::Unknown)?;
        match order.state {
            TradeState::Success | TradeState::Refund => return Err(Refused::Paid),
            TradeState::NotPay | TradeState::Closed => order.state = TradeState::Closed,
        }
        Ok(())
    }

    /// Gives back some of an order. Asked again under the same number it is the same refund.
    pub(super) fn refund(
        &mut self,
        order: &str,
        out_refund_no: &str,
        amount: u64,
        total: u64,
        now: i64,
    ) -> Result<&Refund, Refused> {
        let refund_id = self.number("5030", now);
        let order = self.orders.get_mut(order).ok_or(Refused::Unknown)?;
        if !matches!(order.state, TradeState::Success | TradeState::Refund) {
            return Err(Refused::NotPaid);
        }
        if order.terms.total != total {
            return Err(Refused::WrongTotal);
        }
        if let Some(known) = self.refunds.get(out_refund_no) {
            let same = known.out_trade_no == order.out_trade_no && known.amount == amount;
            return if same {
                self.refunds.get(out_refund_no).ok_or(Refused::Unknown)
            } else {
                Err(Refused::NumberUsed)
            };
        }
        if amount == 0 || amount > order.terms.total - order.refunded {
            return Err(Refused::TooMuch);
        }
        order.refunded += amount;
        order.state = TradeState::Refund;
        Ok(self.refunds.entry(out_refund_no.to_owned()).or_insert(Refund {
            out_refund_no: out_refund_no.to_owned(),
            out_trade_no: order.out_trade_no.clone(),
            refund_id,
            amount,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(total: u64) -> Terms {
        Terms {
            appid: "wx".to_owned(),
            description: "d".to_owned(),
            attach: String::new(),
            notify_url: "n".to_owned(),
            trade_type: "NATIVE".to_owned(),
            openid: String::new(),
            total,
        }
    }

    #[test]
    fn a_closed_order() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.close("1"), Err(Refused::Unknown));
        ledger.place("1", terms(100), 1).expect("order");
        assert_eq!((ledger.close("1"), ledger.close("1")), (Ok(()), Ok(())));
        assert_eq!(ledger.pay("1", 1).expect_err("closed"), Refused::Closed);
        assert_eq!(ledger.place("1", terms(100), 1).expect_err("closed"), Refused::Closed);
    }

    #[test]
    fn the_way_of_an_order() {
        let mut ledger = Ledger::default();
        let first = ledger.place("1", terms(100), 1).expect("order").prepay_id.clone();
        assert_eq!(ledger.place("1", terms(100), 2).expect("the same").prepay_id, first);
        assert_eq!(ledger.place("1", terms(101), 2).expect_err("other terms"), Refused::NumberUsed);
        assert_eq!(ledger.refund("1", "r", 1, 100, 2).expect_err("not paid"), Refused::NotPaid);
        let transaction_id = ledger.pay("1", 3).expect("paid").transaction_id.clone();
        assert_eq!(ledger.pay("1", 4).expect_err("twice"), Refused::Paid);
        assert_eq!(ledger.place("1", terms(100), 4).expect_err("paid"), Refused::Paid);
        assert_eq!(ledger.order("", &transaction_id).expect("found").paid_at, 3);
        assert_eq!(ledger.refund("1", "r1", 60, 100, 5).expect("refund").amount, 60);
        assert_eq!(ledger.refund("1", "r1", 60, 100, 6).expect("the same").amount, 60);
        assert_eq!(ledger.refund("1", "r1", 61, 100, 6).expect_err("other"), Refused::NumberUsed);
        assert_eq!(ledger.refund("1", "r2", 41, 100, 6).expect_err("more than is left"), Refused::TooMuch);
        assert_eq!(ledger.refund("1", "r2", 40, 99, 6).expect_err("total"), Refused::WrongTotal);
        ledger.refund("1", "r2", 40, 100, 6).expect("the rest");
        assert_eq!(ledger.order("1", "").expect("order").refunded, 100);
        assert_eq!(ledger.order("1", "").expect("order").state.as_str(), "REFUND");
        assert_eq!(ledger.order("", "").expect_err("nothing"), Refused::Unknown);
    }
}
