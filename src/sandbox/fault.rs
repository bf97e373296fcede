//! What can go wrong with an answer, on demand.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// Changes an answer.
pub type Tamper = Box<dyn Fn(&mut http::Response<Bytes>) + Send + Sync>;

/// A fault of one answer.
#[non_exhaustive]
pub enum Fault {
    /// Changes the answer after it was signed.
    Tamper(Tamper),
    /// Signs with a clock that is off by these seconds.
    Clock(i64),
    /// Signs with a key whose serial number nobody knows.
    UnknownSerial,
    /// This answer instead, unsigned, as a gateway in front of the service gives it.
    Gateway(http::Response<Bytes>),
    /// Ends the connection after so many bytes of the body, although more were announced.
    CutBody(usize),
    /// Ends the connection without an answer; the request was received.
    Hangup,
    /// Answers after this time.
    Delay(Duration),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Tamper(_) => f.write_str("Tamper"),
            Fault::Clock(seconds) => write!(f, "Clock({seconds})"),
            Fault::UnknownSerial => f.write_str("UnknownSerial"),
            Fault::Gateway(answer) => write!(f, "Gateway({})", answer.status().as_u16()),
            Fault::CutBody(after) => write!(f, "CutBody({after})"),
            Fault::Hangup => f.write_str("Hangup"),
            Fault::Delay(time) => write!(f, "Delay({time:?})"),
        }
    }
}
