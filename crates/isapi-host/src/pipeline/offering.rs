//! Showing raw data to the filters of a connection, one after the other, and taking it from them as they leave it.
//!
//! Called in turn, on native threads.
#![expect(unsafe_code, reason = "the struct of the notifications is foreign code's")]

use std::sync::Arc;

use isapi_abi::httpfilt::HTTP_FILTER_RAW_DATA;

use super::memory::{Lent, copy};
use super::net_session::NetSession;
use super::notification::{Notification, Status};
use crate::lock::LockAnyway;

/// The least buffer that a filter gets.
const LEAST_BUFFER: usize = 16 * 1024;
/// The most that a filter may hold back.
const MAX_PENDING: usize = 64 * 1024 * 1024;

/// What becomes of bytes.
pub(super) enum Verdict {
    /// These go on.
    Pass(Vec<u8>),
    /// These go on, and then the connection ends.
    Last(Vec<u8>),
    /// A filter failed: the connection is cut.
    Cut,
}

impl NetSession {
    /// READ_RAW_DATA: what hyper gets of `bytes`; at the end of what the client sends also of what was held back.
    pub(super) fn filter_read(self: &Arc<Self>, bytes: Vec<u8>, is_end: bool) -> Verdict {
        let (order, mut handled, mut bytes) = (self.order(Notification::ReadRawData), false, bytes);
        for position in 0..self.chain().filters().len() {
            let brings_more = !bytes.is_empty();
            bytes = self.with_pending(position, bytes);
            // What a filter has held back goes in front of what comes later, also when it does not see that any more.
            if handled || bytes.is_empty() || !order.contains(&position) || !brings_more {
                continue;
            }
            let Some((status, _, left)) = self.offer(Notification::ReadRawData, position, &bytes) else {
                return Verdict::Cut;
            };
            bytes = left;
            match status {
                Status::Next => {}
                Status::Handled => handled = true,
                Status::ReadNext if is_end => {}
                Status::ReadNext => return self.keep_pending(position, bytes),
                Status::Finished | Status::FinishedKeepConnection => return Verdict::Last(Vec::new()),
                Status::Error(error) => return self.failed(Notification::ReadRawData, position, error),
            }
        }
        Verdict::Pass(bytes)
    }

    /// What the filter at `position` has held back, with `bytes` behind it.
    fn with_pending(&self, position: usize, bytes: Vec<u8>) -> Vec<u8> {
        let Some(raw) = self.raw() else { return bytes };
        let mut before = std::mem::take(&mut raw.pending.lock_anyway()[position]);
        if before.is_empty() {
            return bytes;
        }
        before.extend_from_slice(&bytes);
        before
    }

    fn keep_pending(&self, position: usize, bytes: Vec<u8>) -> Verdict {
        if bytes.len() > MAX_PENDING {
            let filter = self.chain().filters()[position].name();
            tracing::error!("ISAPI0333 the filter {filter} held back more than {MAX_PENDING} bytes of READ_RAW_DATA");
            return Verdict::Cut;
        }
        if let Some(raw) = self.raw() {
            raw.pending.lock_anyway()[position] = bytes;
        }
        Verdict::Pass(Vec::new())
    }

    /// SEND_RAW_DATA: what the client gets of `bytes`. With `after`, only filters behind that position are notified.
    pub(super) fn filter_send(self: &Arc<Self>, bytes: Vec<u8>, after: Option<usize>) -> Verdict {
        let (mut bytes, mut before) = (bytes, Vec::new());
        // The order is reversed: those behind a filter are in front of it in the chain.
        for position in
            self.order(Notification::SendRawData).into_iter().filter(|place| after.is_none_or(|after| *place < after))
        {
            if bytes.is_empty() {
                break;
            }
            let Some((status, output, left)) = self.offer(Notification::SendRawData, position, &bytes) else {
                return Verdict::Cut;
            };
            before.extend_from_slice(&output);
            bytes = left;
            match status {
                Status::Next | Status::ReadNext => {}
                Status::Handled => break,
                Status::Finished | Status::FinishedKeepConnection => return Verdict::Last(before),
                Status::Error(error) => return self.failed(Notification::SendRawData, position, error),
            }
        }
        before.extend_from_slice(&bytes);
        Verdict::Pass(before)
    }

    /// Bytes that a filter sends by itself, as those behind it leave them.
    pub(super) fn send_through(self: &Arc<Self>, bytes: Vec<u8>, after: Option<usize>) -> Vec<u8> {
        match self.filter_send(bytes, after) {
            Verdict::Pass(bytes) | Verdict::Last(bytes) => bytes,
            Verdict::Cut => {
                if let Some(link) = self.link() {
                    link.cut();
                }
                Vec::new()
            }
        }
    }

    fn failed(&self, notification: Notification, position: usize, error: u32) -> Verdict {
        let (filter, notification) = (self.chain().filters()[position].name(), notification.name());
        tracing::error!(
            "ISAPI0333 the filter {filter} answered {notification} with SF_STATUS_REQ_ERROR; its last error was {error}; \
             the connection is cut"
        );
        Verdict::Cut
    }

    /// Shows `bytes` to one filter: its status, what it wrote, and the bytes as it leaves them; `None` when it broke the
    /// memory that it was lent or lied about it.
    fn offer(
        self: &Arc<Self>,
        notification: Notification,
        position: usize,
        bytes: &[u8],
    ) -> Option<(Status, Vec<u8>, Vec<u8>)> {
        let (mut lent, request) = (Lent::new(bytes, LEAST_BUFFER), self.present_request());
        let blocks = self.memory.lock_anyway().count();
        let mut data = HTTP_FILTER_RAW_DATA {
            pvInData: lent.as_mut_ptr().cast(),
            cbInData: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            cbInBuffer: lent.size(),
            dwReserved: 0,
        };
        // SAFETY: this is the struct of both notifications, and its buffer lives until the filter has returned.
        let called = unsafe { self.notify_one(position, notification, request.as_ref(), (&raw mut data).cast()) };
        let left = self.taken_over(&lent, &data, blocks);
        // Also when other memory took its place.
        let left = left.filter(|_| lent.bytes(0).is_some());
        if left.is_none() {
            let (filter, notification) = (self.chain().filters()[position].name(), notification.name());
            tracing::error!(
                "ISAPI0334 the filter {filter} wrote past the end of the memory that {notification} lent it, or gave a \
                 length that is not true; the connection is cut"
            );
        }
        left.map(|left| (called.status, called.output, left))
    }
}

impl NetSession {
    /// The bytes that `data` says, in the lent buffer or in other memory; `None` when they cannot be there. A block that
    /// was asked for behind the first `blocks` is given back.
    fn taken_over(&self, lent: &Lent, data: &HTTP_FILTER_RAW_DATA, blocks: u64) -> Option<Vec<u8>> {
        let (start, length) = (data.pvInData.cast_const(), data.cbInData as usize);
        if lent.contains(start.addr()) {
            return lent.bytes_at(start.addr(), length).map(<[u8]>::to_vec);
        }
        let mut memory = self.memory.lock_anyway();
        if length > memory.room_at(start).unwrap_or(data.cbInBuffer as usize) {
            return None;
        }
        // SAFETY: a filter that puts its own memory there vouches for as many bytes as its buffer has.
        let taken = unsafe { copy(start, length) };
        memory.take_back(start, blocks, &self.filter_contexts());
        taken
    }
}
