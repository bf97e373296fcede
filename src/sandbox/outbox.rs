//! Outbox: the notifications to deliver. A notification enters it in the same transaction as the
//! change that it reports, and is persisted with that change before anything is sent.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use tokio::sync::Notify;

use super::delivery::{AllowedHosts, Attempt, Delivery, DeliveryOutcome, Notification, milliseconds};
use super::rows::{Change, ChangeLog, Table};
use crate::crypto::random;
use crate::proto::url::without_userinfo;

/// The maximum number of deliveries that are kept.
const MAX_DELIVERIES: usize = 2000;
/// The maximum number of sealed notifications that are kept for the page.
const MAX_SEALED: usize = 4000;
/// The maximum total length of their bodies, in bytes.
const MAX_SEALED_BYTES: usize = 16 * 1024 * 1024;

/// The encrypted and signed notification of an attempt.
pub(super) struct Sealed {
    /// The number, from 1.
    pub(super) number: u64,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

pub(super) struct Outbox {
    deliveries: Vec<Delivery>,
    /// The newest sealed notifications. They are not persisted.
    sealed: VecDeque<Sealed>,
    sealed_bytes: usize,
    sealed_count: u64,
    allowed_hosts: AllowedHosts,
    /// The pauses between attempts are divided by this.
    speed: f64,
    /// Wakes the task that sends.
    wake: Arc<Notify>,
    changes: ChangeLog,
}

/// What the task that sends has to do.
pub(super) struct Due {
    /// The IDs of the deliveries to attempt now.
    pub(super) ids: Vec<String>,
    /// When the next attempt is due, in milliseconds since 1970.
    pub(super) next_at: Option<u64>,
}

impl Outbox {
    /// Restores persisted deliveries. Attempts that were under way are repeated.
    pub(super) fn new(mut deliveries: Vec<Delivery>, allowed_hosts: AllowedHosts, speed: f64) -> Self {
        deliveries.sort_by_key(|delivery| match (delivery.created_at, delivery.attempts.first()) {
            (0, Some(attempt)) => attempt.at,
            (0, None) => u64::MAX,
            (created_at, _) => created_at,
        });
        for delivery in &mut deliveries {
            if delivery.outcome == DeliveryOutcome::Waiting && delivery.next_at.is_none() {
                delivery.next_at = Some(0);
            }
        }
        Outbox {
            deliveries,
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            sealed_count: 0,
            allowed_hosts,
            speed,
            wake: Arc::default(),
            changes: ChangeLog::default(),
        }
    }

    /// All deliveries that are kept, oldest first.
    pub(super) fn deliveries(&self) -> &[Delivery] {
        &self.deliveries
    }

    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        self.changes.take()
    }

    /// Adds a notification. Its first attempt is due at once, unless it must not be sent to that
    /// URL.
    pub(super) fn enqueue(&mut self, notification: Notification) {
        let Notification { notify_url: url, message } = notification;
        // The random generator of the operating system does not fail in practice.
        let Ok(id) = random::nonce() else { return };
        let created_at = milliseconds();
        let (next_at, outcome) = match self.allowed_hosts.check(&url) {
            Ok(()) => (Some(created_at), DeliveryOutcome::Waiting),
            Err(outcome) => (None, outcome),
        };
        // A URL with a password is not sent to, and not shown by the overview.
        let url = without_userinfo(&url);
        let delivery = Delivery { id, url, message, created_at, attempts: Vec::new(), next_at, outcome };
        self.changes.write(Table::Deliveries, &delivery.id, &delivery);
        self.deliveries.push(delivery);
        self.remove_surplus();
        self.wake.notify_one();
    }

    /// Removes the oldest delivery that has ended, or else the oldest one, when there are too many.
    fn remove_surplus(&mut self) {
        if self.deliveries.len() > MAX_DELIVERIES {
            let ended = |delivery: &Delivery| delivery.outcome != DeliveryOutcome::Waiting;
            let removed = self.deliveries.remove(self.deliveries.iter().position(ended).unwrap_or(0));
            self.changes.delete(Table::Deliveries, &removed.id);
        }
    }

    /// Sends a notification again, whatever its outcome.
    ///
    /// # Errors
    /// The notification does not exist, or it must not be sent to its URL.
    pub(super) fn replay(&mut self, id: &str) -> Result<(), String> {
        let delivery = self.deliveries.iter_mut().find(|delivery| delivery.id == id);
        let delivery = delivery.ok_or_else(|| format!("there is no notification {id:?}"))?;
        self.allowed_hosts.check(&delivery.url).map_err(|outcome| outcome.as_str().to_owned())?;
        (delivery.next_at, delivery.outcome) = (Some(milliseconds()), DeliveryOutcome::Waiting);
        self.changes.write(Table::Deliveries, id, delivery);
        self.wake.notify_one();
        Ok(())
    }

    /// Takes the deliveries that are due.
    pub(super) fn take_due(&mut self) -> Due {
        let now = milliseconds();
        let mut due = Due { ids: Vec::new(), next_at: None };
        for delivery in &mut self.deliveries {
            match delivery.next_at {
                Some(at) if at <= now => {
                    delivery.next_at = None;
                    due.ids.push(delivery.id.clone());
                }
                Some(at) => due.next_at = Some(due.next_at.map_or(at, |next| next.min(at))),
                None => {}
            }
        }
        due
    }

    /// A delivery to attempt now. `None` if it is gone, or must not be sent to its URL: a restored
    /// one may come from a sandbox with other settings.
    pub(super) fn begin_attempt(&mut self, id: &str) -> Option<Delivery> {
        let delivery = self.deliveries.iter_mut().find(|delivery| delivery.id == id)?;
        if let Err(outcome) = self.allowed_hosts.check(&delivery.url) {
            delivery.outcome = outcome;
            self.changes.write(Table::Deliveries, id, delivery);
            return None;
        }
        Some(delivery.clone())
    }

    /// Keeps the notification that an attempt sends, and returns its number.
    pub(super) fn keep_sealed(&mut self, request: &Request<Bytes>) -> u64 {
        let (headers, body) = (request.headers().clone(), request.body().clone());
        self.sealed_bytes += body.len();
        self.sealed_count += 1;
        self.sealed.push_back(Sealed { number: self.sealed_count, headers, body });
        while self.sealed.len() > MAX_SEALED || self.sealed_bytes > MAX_SEALED_BYTES {
            match self.sealed.pop_front() {
                Some(oldest) => self.sealed_bytes -= oldest.body.len(),
                None => break,
            }
        }
        self.sealed_count
    }

    /// The notification that an attempt sent, if it is still kept.
    pub(super) fn sealed(&self, attempt: &Attempt) -> Option<&Sealed> {
        self.sealed.iter().find(|sealed| Some(sealed.number) == attempt.sealed)
    }

    /// Records the end of an attempt. `accepted`: the response was one of success.
    pub(super) fn finish_attempt(&mut self, id: &str, attempt: Attempt, accepted: bool) {
        let Some(delivery) = self.deliveries.iter_mut().find(|delivery| delivery.id == id) else { return };
        delivery.record(attempt, accepted, self.speed);
        self.changes.write(Table::Deliveries, id, delivery);
        self.wake.notify_one();
    }
}
