//! Everything that the sandbox remembers. One lock guards it, and each request holds that lock
//! once, from routing to the signed response.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;

use super::creatable::Creatable;
use super::delivery::Notification;
use super::fault::Fault;
use super::ledger::Ledger;
use super::nonces::Nonces;
use super::objects::Objects;
use super::outbox::Outbox;
use super::platform::Platform;
use super::rate_limit::RateLimit;
use super::replay::Replay;
use super::request_log::RequestLog;
use super::rows::Change;
use super::stub::Stub;
use crate::catalog::Catalog;

/// How many bills, and how many images, are kept.
const MAX_FILES: usize = 100;

pub(super) struct State {
    pub(super) platform: Platform,
    /// Persisted.
    pub(super) ledger: Ledger,
    /// Persisted.
    pub(super) outbox: Outbox,
    /// Persisted.
    pub(super) objects: Objects,
    pub(super) catalog: &'static Catalog,
    /// Whether a request that differs from the documentation only causes a warning.
    pub(super) lenient: bool,
    /// Built at the first use.
    creatable: OnceLock<Creatable>,
    pub(super) requests: RequestLog,
    pub(super) nonces: Nonces,
    pub(super) stubs: Vec<Stub>,
    /// The recording that is replayed instead of the sandbox's own responses.
    pub(super) replay: Option<Replay>,
    /// The faults of the next responses.
    pub(super) response_faults: VecDeque<Fault>,
    /// The faults of the next attempts to send a notification.
    pub(super) notification_faults: VecDeque<Fault>,
    /// The kinds of new records that stay in progress.
    pub(super) hold: Hold,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) bills: Files,
    /// Whether bills exist before the next morning.
    pub(super) early_bills: bool,
    pub(super) images: Files,
    pub(super) member_cards: MemberCards,
}

/// The kinds of new records that stay in progress until a control call ends them. Records of a kind
/// that is not held end at once.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Hold {
    /// Payments with a code, and deductions.
    pub(super) payments: bool,
    pub(super) refunds: bool,
    pub(super) profit_sharings: bool,
}

/// Member cards.
#[derive(Default)]
pub(super) struct MemberCards {
    /// The requests for permission tokens by card ID.
    pub(super) permissions: BTreeMap<String, Value>,
    /// Where their events are sent.
    pub(super) notify_url: Option<String>,
}

impl State {
    pub(super) fn new(platform: Platform, ledger: Ledger, outbox: Outbox, objects: Objects, stubs: Vec<Stub>) -> Self {
        State {
            platform,
            ledger,
            outbox,
            objects,
            catalog: Catalog::builtin(),
            lenient: false,
            creatable: OnceLock::new(),
            requests: RequestLog::default(),
            nonces: Nonces::default(),
            stubs,
            replay: None,
            response_faults: VecDeque::new(),
            notification_faults: VecDeque::new(),
            hold: Hold::default(),
            rate_limit: None,
            bills: Files::default(),
            early_bills: false,
            images: Files::default(),
            member_cards: MemberCards::default(),
        }
    }

    /// The numbers that documented calls create.
    pub(super) fn creatable(&self) -> &Creatable {
        self.creatable.get_or_init(|| Creatable::new(self.catalog))
    }

    pub(super) fn enqueue(&mut self, notifications: Vec<Notification>) {
        notifications.into_iter().for_each(|notification| self.outbox.enqueue(notification));
    }

    /// Takes the persisted rows that changed since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        let mut changes = self.ledger.take_changes();
        changes.extend(self.outbox.take_changes());
        changes.extend(self.objects.take_changes());
        changes
    }
}

/// The newest files by name.
#[derive(Default)]
pub(super) struct Files(VecDeque<(String, Bytes)>);

impl Files {
    pub(super) fn insert(&mut self, name: String, file: Bytes) {
        self.0.push_back((name, file));
        if self.0.len() > MAX_FILES {
            self.0.pop_front();
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Bytes> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, file)| file.clone())
    }
}
