//! Profit sharing: what of a paid order goes to others, and comes back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::books::{Books, Kind, Refused, Table};
use super::orders;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sharing {
    pub(super) out_order_no: String,
    pub(super) order_id: String,
    /// The key of the order that is shared.
    pub(super) order: String,
    pub(super) transaction_id: String,
    pub(super) amount: u64,
    pub(super) at: i64,
    /// Everything that was asked for.
    pub(super) request: Value,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Return {
    pub(super) out_return_no: String,
    pub(super) return_id: String,
    /// The key of the sharing that it is of.
    pub(super) sharing: String,
    pub(super) amount: u64,
    pub(super) at: i64,
    pub(super) request: Value,
}

impl Books {
    /// Gives `amount` of a paid order to receivers. What is left stays frozen, unless the order is finished with it.
    pub(super) fn share(
        &mut self,
        order_key: &str,
        out_order_no: &str,
        amount: u64,
        finish: bool,
        request: &Value,
        now: i64,
    ) -> Result<&Sharing, Refused> {
        let order = self.orders.get(order_key).ok_or(Refused::Unknown)?;
        let key = orders::key(&order.terms.owner, out_order_no);
        if let Some(known) = self.sharings.get(&key) {
            if known.request != *request {
                return Err(Refused::NumberUsed);
            }
            return self.sharings.get(&key).ok_or(Refused::Unknown);
        }
        if order.transaction_id.is_empty() {
            return Err(Refused::NotPaid);
        }
        if !order.terms.profit_sharing || order.finished {
            return Err(Refused::NotShared);
        }
        if amount > order.frozen {
            return Err(Refused::TooMuch);
        }
        let (transaction_id, rest) = (order.transaction_id.clone(), order.frozen - amount);
        let sharing = Sharing {
            out_order_no: out_order_no.to_owned(),
            order_id: self.number("3008", now),
            order: order_key.to_owned(),
            transaction_id,
            amount,
            at: now,
            request: request.clone(),
        };
        self.account.frozen -= amount;
        if finish {
            self.account.frozen -= rest;
            self.account.available += rest;
        }
        if let Some(order) = self.orders.get_mut(order_key) {
            order.shared += amount;
            order.frozen = if finish { 0 } else { rest };
            order.finished = finish;
        }
        if amount > 0 {
            self.enter(Kind::Share, &sharing.order_id, out_order_no, amount, now);
        }
        self.touch_order(order_key);
        self.touch(Table::Sharings, key.as_str(), &sharing);
        Ok(self.sharings.entry(key).or_insert(sharing))
    }

    /// A receiver gives some of it back.
    pub(super) fn give_back(
        &mut self,
        sharing_key: &str,
        out_return_no: &str,
        amount: u64,
        request: &Value,
        now: i64,
    ) -> Result<&Return, Refused> {
        let sharing = self.sharings.get(sharing_key).ok_or(Refused::Unknown)?;
        let owner = sharing.order.split('/').next().unwrap_or_default();
        let key = orders::key(owner, out_return_no);
        if let Some(known) = self.returns.get(&key) {
            if known.request != *request {
                return Err(Refused::NumberUsed);
            }
            return self.returns.get(&key).ok_or(Refused::Unknown);
        }
        let returned: u64 =
            self.returns.values().filter(|known| known.sharing == sharing_key).map(|known| known.amount).sum();
        if amount == 0 || amount > sharing.amount - returned {
            return Err(Refused::TooMuch);
        }
        let (order_key, number) = (sharing.order.clone(), self.number("3009", now));
        self.account.available += amount;
        if let Some(order) = self.orders.get_mut(&order_key) {
            order.shared -= amount;
        }
        let given = Return {
            out_return_no: out_return_no.to_owned(),
            return_id: number,
            sharing: sharing_key.to_owned(),
            amount,
            at: now,
            request: request.clone(),
        };
        self.enter(Kind::ShareBack, &given.return_id, out_return_no, amount, now);
        self.touch_order(&order_key);
        self.touch(Table::Returns, key.as_str(), &given);
        Ok(self.returns.entry(key).or_insert(given))
    }
}

#[cfg(test)]
mod tests {
    use super::super::orders::{Api, Refunding, Terms};
    use super::*;
    use crate::sandbox::books::OPENING;
    use serde_json::json;

    #[test]
    fn the_way_of_a_shared_order() {
        let mut books = Books::default();
        let terms = |number: &str, profit_sharing| Terms {
            api: Api::Direct,
            owner: "m".to_owned(),
            out_trade_no: number.to_owned(),
            trade_type: "NATIVE".to_owned(),
            total: 100,
            notify_url: String::new(),
            profit_sharing,
            combine_out_trade_no: String::new(),
            request: Value::Null,
        };
        books.place(terms("1", true), 1).expect("order");
        books.place(terms("2", false), 1).expect("order");
        let request = json!({ "a": 1 });
        assert_eq!(books.share("m/1", "s", 1, false, &request, 1).expect_err("early"), Refused::NotPaid);
        books.pay("m/1", 2).expect("paid");
        books.pay("m/2", 2).expect("paid");
        assert_eq!((books.account.available, books.account.frozen), (OPENING + 100, 100));
        assert_eq!(books.share("m/2", "s", 1, false, &request, 3).expect_err("not for sharing"), Refused::NotShared);
        assert_eq!(books.share("m/1", "s", 101, false, &request, 3).expect_err("more"), Refused::TooMuch);
        books.share("m/1", "s", 30, false, &request, 3).expect("shared");
        books.share("m/1", "s", 30, false, &request, 3).expect("the same");
        assert_eq!(books.share("m/1", "s", 30, false, &json!({}), 3).expect_err("other"), Refused::NumberUsed);
        books
            .refund("m/1", &Refunding { out_refund_no: "r", amount: 20, total: 100, notify_url: "" }, 4)
            .expect("refund");
        assert_eq!(books.account.frozen, 50);
        books.share("m/1", "t", 10, true, &request, 5).expect("the last");
        assert_eq!((books.account.available, books.account.frozen), (OPENING + 140, 0));
        assert_eq!(books.share("m/1", "u", 1, false, &request, 6).expect_err("over"), Refused::NotShared);
        books.give_back("m/s", "b", 10, &request, 7).expect("back");
        books.give_back("m/s", "b", 10, &request, 7).expect("the same");
        assert_eq!(books.give_back("m/s", "b", 10, &json!({}), 7).expect_err("other"), Refused::NumberUsed);
        assert_eq!(books.give_back("m/s", "c", 21, &request, 7).expect_err("more"), Refused::TooMuch);
        assert_eq!(books.give_back("m/x", "c", 1, &request, 7).expect_err("none"), Refused::Unknown);
        assert_eq!(books.account.available, OPENING + 150);
        books.audit().expect("balanced");
    }
}
