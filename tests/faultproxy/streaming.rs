//! A reply that has no end of its own: passed on piece by piece, and ended by a rule if by nothing else.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::{Body, Bytes, Frame, Incoming};

use crate::log::Stage;
use crate::message::{Failure, Reply};
use crate::relay::Ending;

/// Passes a stream on for as long as no rule refuses or cuts what is like it.
pub(crate) fn relay(reply: Response<Incoming>, end: Ending, method: String, path: String) -> Reply {
    let relay = Arc::clone(&end.relay);
    relay.log.update(end.id, |exchange| {
        exchange.stage = Stage::Streaming;
        exchange.replied = true;
    });
    let ended = Box::pin(async move { relay.ended(&method, &path).await });
    reply.map(|incoming| Stream { incoming, ended, end }.boxed())
}

struct Stream {
    incoming: Incoming,
    ended: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    end: Ending,
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.ended.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err("cut".into())));
        }
        let Some(frame) = ready!(Pin::new(&mut self.incoming).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = frame?;
        if let Some(bytes) = frame.data_ref() {
            self.end.relay.log.stream(self.end.id, bytes);
        }
        Poll::Ready(Some(Ok(frame)))
    }
}
