//! The protocol of the inbox (`src/notify/inbox.rs`, `src/store/mod.rs`) as a model of two workers,
//! one key, a store that pauses, and a network that delays and reorders messages. A message that is
//! never delivered is one that was lost.
//!
//! A worker claims the key, renews its claim, and records or releases it. It can die at any moment.
//! A lease lasts for `LEASE` ticks in the store, from when the store executed the claim. The worker
//! counts from when it sent the claim, and drops its handler after `USABLE` ticks.

use std::collections::BTreeSet;

use stateright::{Model, Property};

/// Measured by the store.
const LEASE: u8 = 3;
/// Measured by the worker.
const USABLE: u8 = 2;
const END: u8 = 6;
/// How often each worker begins.
const ATTEMPTS: [u8; 2] = [2, 1];
/// The most messages that are under way.
const MESSAGES: usize = 3;

/// The number of the worker, and that of its attempt.
pub type Token = (u8, u8);

/// A mistake in the protocol. The model must find what it causes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mistake {
    None,
    /// The handler continues when its lease may have ended.
    HandlerIsNotDropped,
    /// The lease is counted from the response.
    LeaseFromResponse,
    /// `release` does not compare the token.
    ReleaseOfAnyToken,
    /// A claim does not check whether the key is done.
    DoneIsClaimed,
    /// A lost claim is recorded as handled before the handler runs.
    RecordedBeforeHandler,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Key {
    Absent,
    Held { token: Token, until: u8 },
    Done,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    Held,
    Taken,
    Done,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, PartialOrd, Ord)]
pub enum Message {
    Claim { token: Token, sent: u8 },
    Complete { token: Token },
    Release { token: Token },
    Response { token: Token, sent: u8, claim: Claim },
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub enum Phase {
    Idle,
    Claiming { sent: u8 },
    Running { granted: u8, renewed: u8 },
    Recording,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct State {
    pub time: u8,
    is_paused: bool,
    pub key: Key,
    messages: BTreeSet<Message>,
    pub workers: [Worker; 2],
    /// The attempts whose handlers have succeeded.
    pub succeeded: BTreeSet<Token>,
    /// A lease ended after its handler had succeeded, and before that was recorded: the worker
    /// died, or the store was unavailable for too long.
    pub lapsed: bool,
    /// The service received a success.
    pub confirmed: bool,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub struct Worker {
    attempt: u8,
    pub phase: Phase,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Tick,
    Pause,
    Resume,
    Start(u8),
    Renew(u8),
    /// The handler returns a success or a failure.
    Return(u8, bool),
    /// Recording is repeated.
    Record(u8),
    /// The claim is no longer awaited.
    GiveUp(u8),
    Die(u8),
    Deliver(Message),
}

pub struct Inbox(pub Mistake);

impl Inbox {
    /// The store executes a request.
    fn execute(&self, state: &mut State, message: Message) {
        let now = state.time;
        if matches!(state.key, Key::Held { until, .. } if until <= now) {
            state.key = Key::Absent;
        }
        match message {
            Message::Claim { token, sent } => {
                let claim = match &state.key {
                    Key::Done if self.0 != Mistake::DoneIsClaimed => Claim::Done,
                    Key::Held { token: holder, .. } if *holder != token => Claim::Taken,
                    _ => Claim::Held,
                };
                if claim == Claim::Held {
                    state.key = Key::Held { token, until: now + LEASE };
                }
                state.messages.insert(Message::Response { token, sent, claim });
            }
            Message::Complete { .. } => state.key = Key::Done,
            Message::Release { token } => {
                let is_own = matches!(&state.key, Key::Held { token: holder, .. } if *holder == token);
                if is_own || (self.0 == Mistake::ReleaseOfAnyToken && state.key != Key::Done) {
                    state.key = Key::Absent;
                }
            }
            Message::Response { .. } => {}
        }
    }

    /// A worker receives the response to a claim.
    fn receive(&self, state: &mut State, token: Token, sent: u8, claim: Claim) {
        let now = state.time;
        let worker = &mut state.workers[usize::from(token.0)];
        if worker.attempt != token.1 {
            return;
        }
        let granted = if self.0 == Mistake::LeaseFromResponse { now } else { sent };
        match (&worker.phase, claim) {
            (Phase::Claiming { .. }, Claim::Held) if now - granted < USABLE => {
                worker.phase = Phase::Running { granted, renewed: sent };
                if self.0 == Mistake::RecordedBeforeHandler {
                    state.key = Key::Done;
                }
            }
            (Phase::Claiming { .. }, Claim::Held) => {
                worker.phase = Phase::Idle;
                state.messages.insert(Message::Release { token });
            }
            (Phase::Claiming { .. }, Claim::Taken) => worker.phase = Phase::Idle,
            (Phase::Claiming { .. }, Claim::Done) => {
                worker.phase = Phase::Idle;
                state.confirmed = true;
            }
            (Phase::Running { granted: before, renewed }, Claim::Held) => {
                worker.phase = Phase::Running { granted: granted.max(*before), renewed: *renewed };
            }
            // The handler is dropped.
            (Phase::Running { .. }, Claim::Taken) => worker.phase = Phase::Idle,
            (Phase::Running { .. }, Claim::Done) => {
                worker.phase = Phase::Idle;
                state.confirmed = true;
            }
            (Phase::Idle | Phase::Recording, _) => {}
        }
    }

    fn tick(&self, state: &mut State) {
        state.time += 1;
        if let Key::Held { token, until } = state.key {
            state.lapsed |= until <= state.time && state.succeeded.contains(&token);
        }
        for worker in &mut state.workers {
            if let Phase::Running { granted, .. } = worker.phase {
                if state.time - granted >= USABLE && self.0 != Mistake::HandlerIsNotDropped {
                    worker.phase = Phase::Idle;
                }
            }
        }
    }
}

impl Model for Inbox {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let worker = Worker { attempt: 0, phase: Phase::Idle };
        vec![State {
            time: 0,
            is_paused: false,
            key: Key::Absent,
            messages: BTreeSet::new(),
            workers: [worker.clone(), worker],
            succeeded: BTreeSet::new(),
            lapsed: false,
            confirmed: false,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.time < END {
            actions.push(Action::Tick);
        }
        if state.is_paused {
            actions.push(Action::Resume);
        } else {
            actions.push(Action::Pause);
        }
        for (number, worker) in (0u8..).zip(&state.workers) {
            match worker.phase {
                Phase::Idle if worker.attempt < ATTEMPTS[usize::from(number)] => actions.push(Action::Start(number)),
                Phase::Idle => {}
                Phase::Claiming { .. } => actions.extend([Action::GiveUp(number), Action::Die(number)]),
                Phase::Running { renewed, .. } => {
                    actions.extend([Action::Return(number, true), Action::Return(number, false), Action::Die(number)]);
                    if renewed < state.time {
                        actions.push(Action::Renew(number));
                    }
                }
                Phase::Recording => actions.extend([Action::Record(number), Action::Die(number)]),
            }
        }
        for message in &state.messages {
            if matches!(message, Message::Response { .. }) || !state.is_paused {
                actions.push(Action::Deliver(*message));
            }
        }
    }

    fn next_state(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        let now = state.time;
        match action {
            Action::Tick => self.tick(&mut state),
            Action::Pause => state.is_paused = true,
            Action::Resume => state.is_paused = false,
            Action::Start(number) => {
                let worker = &mut state.workers[usize::from(number)];
                *worker = Worker { attempt: worker.attempt + 1, phase: Phase::Claiming { sent: now } };
                state.messages.insert(Message::Claim { token: (number, worker.attempt), sent: now });
            }
            Action::Renew(number) => {
                let worker = &mut state.workers[usize::from(number)];
                if let Phase::Running { renewed, .. } = &mut worker.phase {
                    *renewed = now;
                }
                state.messages.insert(Message::Claim { token: (number, worker.attempt), sent: now });
            }
            Action::Return(number, is_success) => {
                let worker = &mut state.workers[usize::from(number)];
                let token = (number, worker.attempt);
                if is_success {
                    worker.phase = Phase::Recording;
                    state.succeeded.insert(token);
                    state.confirmed = true;
                    state.messages.insert(Message::Complete { token });
                } else {
                    worker.phase = Phase::Idle;
                    state.messages.insert(Message::Release { token });
                }
            }
            Action::Record(number) => {
                let token = (number, state.workers[usize::from(number)].attempt);
                state.messages.insert(Message::Complete { token });
            }
            Action::GiveUp(number) => {
                let worker = &mut state.workers[usize::from(number)];
                worker.phase = Phase::Idle;
                state.messages.insert(Message::Release { token: (number, worker.attempt) });
            }
            Action::Die(number) => state.workers[usize::from(number)].phase = Phase::Idle,
            Action::Deliver(message) => {
                state.messages.remove(&message);
                match message {
                    Message::Response { token, sent, claim } => self.receive(&mut state, token, sent, claim),
                    request => self.execute(&mut state, request),
                }
            }
        }
        (state != *before).then_some(state)
    }

    fn within_boundary(&self, state: &State) -> bool {
        state.messages.len() <= MESSAGES
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn runs(worker: &Worker) -> bool {
            matches!(worker.phase, Phase::Running { .. })
        }
        vec![
            Property::always("one handler runs", |_, state: &State| !state.workers.iter().all(runs)),
            Property::always("one handler succeeds while leases hold", |_, state: &State| {
                state.lapsed || state.succeeded.len() <= 1
            }),
            Property::always("what is confirmed was handled", |_, state: &State| {
                !state.confirmed || !state.succeeded.is_empty()
            }),
            Property::sometimes("a success is recorded", |_, state: &State| state.key == Key::Done),
            Property::sometimes("the second worker takes over", |_, state: &State| {
                state.time > LEASE && state.succeeded.contains(&(1, 1)) && state.workers[0].attempt == 1
            }),
            Property::sometimes("a success that was not recorded can be repeated", |_, state: &State| {
                state.lapsed && state.succeeded.len() == 2
            }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use stateright::{Checker, HasDiscoveries};

    use super::*;

    #[test]
    fn one_handler_succeeds() {
        let checker = Inbox(Mistake::None).checker().threads(2).spawn_bfs().join();
        println!("{} states, {} unique", checker.state_count(), checker.unique_state_count());
        checker.assert_properties();
        assert!(checker.unique_state_count() > 100_000, "the model is not trivial");
    }

    /// Each mistake violates the property that it should.
    #[test]
    fn mistakes_are_found() {
        let twice = "one handler succeeds while leases hold";
        for (mistake, properties) in [
            (Mistake::HandlerIsNotDropped, &["one handler runs", twice][..]),
            (Mistake::LeaseFromResponse, &["one handler runs"]),
            (Mistake::ReleaseOfAnyToken, &["one handler runs"]),
            (Mistake::DoneIsClaimed, &[twice]),
            (Mistake::RecordedBeforeHandler, &["what is confirmed was handled"]),
        ] {
            let found = HasDiscoveries::AllOf(properties.iter().copied().collect());
            let checker = Inbox(mistake).checker().finish_when(found).threads(2).spawn_bfs().join();
            for property in properties {
                assert!(checker.discovery(property).is_some(), "{mistake:?}: {property}");
            }
        }
    }
}
