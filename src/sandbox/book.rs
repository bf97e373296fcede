//! What the sandbox's tasks share and change: the books, and all that is not money.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Notify;

use super::books::Books;
use super::check::Verdict;
use super::fault::Fault;
use super::keys::{self, Issued, Keys};
use super::outbox::Delivery;
use super::routes::Stub;
use super::{PUBLIC_KEY_ID, Received, State};
use crate::crypto::{PrivateKey, random};
use crate::error::Error;

/// Requests that are remembered.
const MOST_RECEIVED: usize = 20_000;
/// And their bodies, in bytes.
const MOST_RECEIVED_BYTES: usize = 64 * 1024 * 1024;
/// How much of a message the page shows, in characters.
const MOST_SHOWN: usize = 4000;
/// Verdicts that are remembered, for the page.
const MOST_VERDICTS: usize = 200;
/// Bills and pictures that are remembered.
const MOST_FILES: usize = 100;
/// How long a nonce is remembered, in seconds: as long as its timestamp is accepted, either way.
const NONCE_AGE: i64 = 600;

pub(super) struct Book {
    pub(super) books: Books,
    pub(super) received: VecDeque<Received>,
    received_bytes: usize,
    pub(super) verdicts: VecDeque<(u64, Verdict)>,
    /// How many requests have come.
    pub(super) count: u64,
    pub(super) faults: VecDeque<Fault>,
    pub(super) notification_faults: VecDeque<Fault>,
    pub(super) stubs: Vec<Stub>,
    /// The platform's certificates in force, oldest first; the last one signs, where there is any and it is not told otherwise.
    pub(super) certificates: Vec<Arc<Issued>>,
    /// Whether a certificate signs where a request names no key.
    pub(super) by_certificate: bool,
    pub(super) nonces: Nonces,
    pub(super) bills: VecDeque<(String, Bytes)>,
    pub(super) images: VecDeque<(String, Bytes)>,
    /// What member cards were pre-authorised with, by card.
    pub(super) cards: BTreeMap<String, Value>,
    pub(super) card_callback: Option<String>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) allow_anywhere: bool,
    /// By how much the pauses between notifications are shortened.
    pub(super) speed: f64,
    /// Wakes the outbox.
    pub(super) wake: Arc<Notify>,
}

impl Book {
    pub(super) fn new(books: Books) -> Self {
        Book {
            books,
            received: VecDeque::new(),
            received_bytes: 0,
            verdicts: VecDeque::new(),
            count: 0,
            faults: VecDeque::new(),
            notification_faults: VecDeque::new(),
            stubs: Vec::new(),
            certificates: Vec::new(),
            by_certificate: false,
            nonces: Nonces::default(),
            bills: VecDeque::new(),
            images: VecDeque::new(),
            cards: BTreeMap::new(),
            card_callback: None,
            deliveries: Vec::new(),
            allow_anywhere: false,
            speed: 1.0,
            wake: Arc::default(),
        }
    }

    /// The key that signs an answer to a request that names `asked` as `Wechatpay-Serial`, and its id.
    pub(super) fn signing_key(&self, keys: &Keys, asked: Option<&str>) -> (PrivateKey, String) {
        let named = self.certificates.iter().find(|issued| Some(issued.serial.as_str()) == asked);
        let usual = self.certificates.last().filter(|_| self.by_certificate && asked != Some(PUBLIC_KEY_ID));
        match named.or(usual) {
            Some(issued) => (issued.key.clone(), issued.serial.clone()),
            None => (keys.platform.clone(), PUBLIC_KEY_ID.to_owned()),
        }
    }

    /// Puts deliveries back; those that were under way are tried again.
    pub(super) fn restore_deliveries(&mut self, mut deliveries: Vec<Delivery>) {
        deliveries.sort_by_key(|delivery| delivery.attempts.first().map_or(u64::MAX, |attempt| attempt.at));
        for delivery in &mut deliveries {
            if delivery.outcome == "waiting" && delivery.next_at.is_none() {
                delivery.next_at = Some(0);
            }
        }
        self.deliveries = deliveries;
    }

    pub(super) fn receive(&mut self, received: Received, verdict: Verdict) {
        self.count += 1;
        self.received_bytes += received.body.len();
        self.received.push_back(received);
        while self.received.len() > MOST_RECEIVED
            || (self.received_bytes > MOST_RECEIVED_BYTES && self.received.len() > 1)
        {
            if let Some(oldest) = self.received.pop_front() {
                self.received_bytes -= oldest.body.len();
            }
        }
        let mut verdict = verdict;
        for text in [&mut verdict.expected, &mut verdict.signed, &mut verdict.said] {
            if let Some((at, _)) = text.char_indices().nth(MOST_SHOWN) {
                text.truncate(at);
                text.push('…');
            }
        }
        push(&mut self.verdicts, (self.count, verdict), MOST_VERDICTS);
    }

    /// Keeps a bill until it is fetched, and returns its token.
    pub(super) fn offer_bill(&mut self, text: String, gzip: bool) -> String {
        let bytes = if gzip { crate::sandbox::reply::gzip(text.as_bytes()) } else { text.into() };
        let token = random::nonce().unwrap_or_default();
        push(&mut self.bills, (token.clone(), bytes), MOST_FILES);
        token
    }

    pub(super) fn keep_image(&mut self, id: String, file: Bytes) {
        push(&mut self.images, (id, file), MOST_FILES);
    }
}

/// Issues a platform certificate, which signs from now on.
pub(super) fn rotate(state: &State) -> Result<Arc<Issued>, Error> {
    let kept = usize::from(state.keys.certificate.is_some());
    let number = state.book().certificates.len();
    let issued = match &state.keys.certificate {
        Some(first) if number == 0 => Arc::clone(first),
        _ => keys::certificate(number - kept.min(number))?,
    };
    let mut book = state.book();
    book.certificates.push(Arc::clone(&issued));
    book.by_certificate = true;
    Ok(issued)
}

fn push<T>(queue: &mut VecDeque<T>, thing: T, most: usize) {
    queue.push_back(thing);
    if queue.len() > most {
        queue.pop_front();
    }
}

/// The nonces of the last minutes.
#[derive(Default)]
pub(super) struct Nonces {
    known: HashSet<String>,
    order: VecDeque<(i64, String)>,
}

impl Nonces {
    /// Whether it is new.
    pub(super) fn insert(&mut self, nonce: &str, now: i64) -> bool {
        while self.order.front().is_some_and(|(at, _)| *at < now - NONCE_AGE) {
            if let Some((_, oldest)) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        let new = self.known.insert(nonce.to_owned());
        if new {
            self.order.push_back((now, nonce.to_owned()));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_new_again_when_it_is_old() {
        let mut nonces = Nonces::default();
        assert!(nonces.insert("a", 0) && !nonces.insert("a", NONCE_AGE) && nonces.insert("b", 0));
        assert!(nonces.insert("a", NONCE_AGE + 1));
        assert_eq!(nonces.known.len(), 1);
    }
}
