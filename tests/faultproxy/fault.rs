//! What can go wrong with one exchange.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One way to treat an exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Fault {
    /// Nothing goes wrong.
    Pass,
    /// The server answers, and the answer is lost: the connection ends without a byte.
    CutReply,
    /// One of the two messages takes its time.
    Delay {
        /// How long.
        millis: u64,
        /// Which message.
        #[serde(default)]
        at: Side,
    },
    /// One of the two messages waits until the test releases it.
    Hold {
        /// Which message.
        #[serde(default)]
        at: Side,
    },
    /// This reply comes instead; the server never hears of the request.
    Status {
        /// The status.
        code: u16,
        /// The body.
        #[serde(default)]
        body: String,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// A public network's sign-in page comes instead, with status 200.
    Portal,
    /// The connection ends before the request is read.
    Refuse,
}

/// One of the two messages of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    /// Before the server has seen it.
    Request,
    /// After the server has done what it was asked to.
    #[default]
    Reply,
}

impl Fault {
    /// As rules and the log spell it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::CutReply => "cut_reply",
            Self::Delay { .. } => "delay",
            Self::Hold { .. } => "hold",
            Self::Status { .. } => "status",
            Self::Portal => "portal",
            Self::Refuse => "refuse",
        }
    }
}
