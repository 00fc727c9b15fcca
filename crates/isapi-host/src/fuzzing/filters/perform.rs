//! Each step of a program, as a call of the host or as a change of what a notification brought. What the host is given
//! is memory of its own, which is freed when the call returns, or at the end of all if the host may still look at it.
#![expect(unsafe_code, reason = "calls the host with raw pointers, as filters do, and writes to what it lends")]

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::thread;

use isapi_abi::httpfilt as sf;

use super::super::calls::{Called, start};
use super::super::memory::Memory;
use super::super::operations::{Data, Room};
use super::calls::{Calls, HeaderCalls, no_context};
use super::run::{HEADERS, Run};
use super::steps::{Raw, Step};
use crate::lock::LockAnyway;

/// One notification of one filter.
pub(super) struct Visit<'a> {
    run: &'a Run,
    position: usize,
    notification: u32,
    calls: Calls,
    data: *mut c_void,
    /// For raw data: the buffer as it was lent, and its size.
    lent: (*mut u8, u32),
}

/// What the struct of most notifications with headers brings.
const WITH_HEADERS: [u32; 3] =
    [sf::SF_NOTIFY_PREPROC_HEADERS, sf::SF_NOTIFY_AUTH_COMPLETE, sf::SF_NOTIFY_SEND_RESPONSE];

const RAW: [u32; 2] = [sf::SF_NOTIFY_READ_RAW_DATA, sf::SF_NOTIFY_SEND_RAW_DATA];

impl<'a> Visit<'a> {
    /// # Safety
    /// * `data` is what `notification` brings, and both live until the visit ends.
    pub(super) unsafe fn new(
        run: &'a Run,
        position: usize,
        notification: u32,
        calls: Calls,
        data: *mut c_void,
    ) -> Self {
        let mut lent = (null_mut(), 0);
        // SAFETY: the caller vouches for the struct.
        unsafe {
            if RAW.contains(&notification) {
                let raw = &*data.cast::<sf::HTTP_FILTER_RAW_DATA>();
                assert!(raw.cbInData <= raw.cbInBuffer && !raw.pvInData.is_null());
                lent = (raw.pvInData.cast(), raw.cbInBuffer);
            } else if WITH_HEADERS.contains(&notification) {
                // AUTH_COMPLETE's begins with the same three.
                HEADERS.get_or_init(|| HeaderCalls::of(&*data.cast()));
            }
        }
        Visit { run, position, notification, calls, data, lent }
    }

    /// Does one step; `Some` with what HttpFilterProc is to return.
    pub(super) fn step(&self, step: &Step) -> Option<(u32, i32)> {
        let called = match step {
            Step::GetHeader { name, room } => self.get_header(name, *room),
            Step::SetHeader { name, value } => {
                self.header(|headers| headers.set(&self.calls, name.text().as_ref(), value.text().as_ref()))
            }
            Step::AddHeader { name, value } => {
                self.header(|headers| headers.add(&self.calls, name.text().as_ref(), value.text().as_ref()))
            }
            Step::AddResponseHeaders { lines } => self.calls.add_lines(lines.text().as_ref()),
            Step::Write { data, with_size } => self.write(data, *with_size),
            Step::Allocate { size } => self.allocate(*size).map_or(Err(0), |_| Ok(())),
            Step::SendHead { status, block } => self.send_head(status, block),
            Step::Support { request, data, number } => self.support(*request, data, *number),
            Step::Variable { name, room } => self.variable(name, *room),
            Step::Raw(raw) => self.change(raw),
            Step::Text { second, text, ends, beyond } => self.write_text(*second, text, *ends, *beyond),
            Step::Log { field, text, status } => self.change_entry(*field, text, *status),
            Step::ResetAuthentication(value) => self.reset_authentication(*value),
            Step::Remember { size } => self.remember(*size),
            Step::Foreign { which } => self.foreign(*which),
            Step::Beside { which } => {
                self.run.beside(self.calls, *which);
                Ok(())
            }
            Step::Yield { turns } => {
                (0..*turns).for_each(|_| thread::yield_now());
                Ok(())
            }
            Step::Return { status, error } => return Some((*status, *error)),
        };
        // What a call answers is the host's affair, unless it breaks the contract.
        let _: Called = called;
        None
    }

    /// Calls a function of the structs with headers, which may be one kept from an earlier notification.
    fn header(&self, call: impl FnOnce(HeaderCalls) -> Called) -> Called {
        let Some(headers) = HEADERS.get() else { return Err(0) };
        let called = call(*headers);
        assert!(called.is_err() || WITH_HEADERS.contains(&self.notification), "a header where there are none");
        called
    }

    fn get_header(&self, name: &Data, room: Room) -> Called {
        let (memory, mut size) = room.arguments();
        let called =
            self.header(|headers| headers.get(&self.calls, name.text().as_ref(), memory.as_ref(), size.as_mut()));
        check_answer(called, memory.as_ref(), size);
        called
    }

    fn variable(&self, name: &Data, room: Room) -> Called {
        let (memory, mut size) = room.arguments();
        let called = self.calls.variable(name.text().as_ref(), memory.as_ref(), size.as_mut());
        check_answer(called, memory.as_ref(), size);
        called
    }

    fn write(&self, data: &Data, with_size: bool) -> Called {
        let is_behind_the_response = [sf::SF_NOTIFY_LOG, sf::SF_NOTIFY_END_OF_NET_SESSION];
        // Bytes among those of responses.
        if RAW.contains(&self.notification) || self.notification == sf::SF_NOTIFY_END_OF_REQUEST {
            self.run.disturb();
        }
        let called = self.calls.write(data.memory().as_ref(), with_size);
        assert!(called.is_err() || !is_behind_the_response.contains(&self.notification), "bytes behind the response");
        called
    }

    fn send_head(&self, status: &Data, block: &Data) -> Called {
        let (status, block) = (status.text(), block.text());
        let number = start(block.as_ref()).expose_provenance();
        // SAFETY: both are texts with a NUL, or null.
        unsafe { self.calls.support(sf::SF_REQ_SEND_RESPONSE_HEADER, start(status.as_ref()), number) }
    }

    fn support(&self, request: u32, data: &Data, number: usize) -> Called {
        // Room for a number, which some requests write there.
        let text = data.bytes().map(|bytes| Memory::of(&[bytes.as_slice(), &[0; 8]].concat()));
        // SAFETY: a text with a NUL and room for a number, or null; the only number that stands for an address is 0.
        let called = unsafe { self.calls.support(request, start(text.as_ref()), number) };
        if called.is_ok() && request == sf::SF_REQ_DISABLE_NOTIFICATIONS {
            let notifications = u32::try_from(number).expect("others are refused");
            self.run.seat(self.position).lock_anyway().record.disables(notifications);
        }
        called
    }

    /// Memory of the host's, with something in its first and its last byte.
    fn allocate(&self, size: u32) -> Option<*mut u8> {
        let block = self.calls.allocate(size).cast::<u8>();
        if block.is_null() {
            return None;
        }
        assert_eq!(block.addr() % 16, 0, "memory that is not aligned");
        if size > 0 {
            // SAFETY: so much was asked for.
            unsafe {
                assert_eq!((*block, *block.add(size as usize - 1)), (0, 0), "memory with something in it");
                (*block, *block.add(size as usize - 1)) = (1, 1);
            }
        }
        Some(block)
    }

    fn remember(&self, size: Option<u32>) -> Called {
        let block = size.and_then(|size| self.allocate(size)).unwrap_or_default();
        // SAFETY: the context is valid during the visit, and this member is the filter's.
        unsafe { (*self.calls.context).pFilterContext = block.cast() };
        self.run.seat(self.position).lock_anyway().remembered = (block.addr(), size.unwrap_or_default());
        Ok(())
    }

    /// Changes raw data.
    fn change(&self, raw: &Raw) -> Called {
        if !RAW.contains(&self.notification) {
            return Ok(());
        }
        if self.notification == sf::SF_NOTIFY_SEND_RAW_DATA {
            self.run.disturb();
        }
        // SAFETY: this is the struct of both notifications, and it is ours during the visit.
        let data = unsafe { &mut *self.data.cast::<sf::HTTP_FILTER_RAW_DATA>() };
        let (buffer, room) = self.lent;
        let mut replace = |start: *mut c_void, length: u32, lie: u32| {
            (data.pvInData, data.cbInData, data.cbInBuffer) = (start, length + lie, length);
        };
        match raw {
            Raw::Shorter(length) => data.cbInData = data.cbInData.min(*length),
            Raw::Other(other) => {
                let bytes = other.bytes().unwrap_or_default();
                let length = bytes.len().min(room as usize);
                // SAFETY: the buffer has that much room.
                unsafe { buffer.copy_from_nonoverlapping(bytes.as_ptr(), length) };
                (data.pvInData, data.cbInBuffer) = (buffer.cast(), room);
                data.cbInData = u32::try_from(length).expect("less than the room");
            }
            Raw::Allocated { data: other, lie } => {
                let memory = other.memory().unwrap_or_else(|| Memory::of(b""));
                if let Some(block) = self.allocate(memory.size()) {
                    // SAFETY: the block is as long as these bytes.
                    unsafe { block.copy_from_nonoverlapping(memory.bytes().as_ptr(), memory.bytes().len()) };
                    replace(block.cast(), memory.size(), *lie);
                }
            }
            Raw::Own { data: other, lie } => {
                let memory = other.memory().unwrap_or_else(|| Memory::of(b""));
                replace(memory.start(), memory.size(), *lie);
                self.run.keep(memory);
            }
            Raw::Lie(length) => {
                (data.pvInData, data.cbInBuffer) = (buffer.cast(), room);
                data.cbInData = room.saturating_add(*length).saturating_add(1);
            }
            // SAFETY: the host promises to bear that much.
            Raw::Beyond(length) => unsafe { buffer.add(room as usize).write_bytes(b'!', *length) },
            Raw::Null(length) => (data.pvInData, data.cbInData) = (null_mut(), *length),
        }
        Ok(())
    }

    /// Writes to a text that the host has lent.
    fn write_text(&self, second: bool, text: &Data, ends: bool, beyond: usize) -> Called {
        // SAFETY: these are the structs of the two notifications.
        let (buffer, room) = unsafe {
            match self.notification {
                sf::SF_NOTIFY_URL_MAP => {
                    let data = &*self.data.cast::<sf::HTTP_FILTER_URL_MAP_EX>();
                    (data.pszPhysicalPath, data.cbPathBuff)
                }
                sf::SF_NOTIFY_AUTHENTICATION => {
                    let data = &*self.data.cast::<sf::HTTP_FILTER_AUTHENT>();
                    if second { (data.pszPassword, data.cbPasswordBuff) } else { (data.pszUser, data.cbUserBuff) }
                }
                _ => return Ok(()),
            }
        };
        let mut bytes = text.bytes().unwrap_or_default();
        if ends {
            bytes.push(0);
        }
        let length = bytes.len().min(room as usize + beyond);
        // SAFETY: the host promises to bear that much beyond the end.
        unsafe { buffer.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), length) };
        Ok(())
    }

    /// Changes the log's entry.
    fn change_entry(&self, field: usize, text: &Data, status: u32) -> Called {
        if self.notification != sf::SF_NOTIFY_LOG {
            return Ok(());
        }
        // SAFETY: this is the struct of LOG, and it is ours during the visit.
        let data = unsafe { &mut *self.data.cast::<sf::HTTP_FILTER_LOG>() };
        let fields = [
            &mut data.pszClientHostName,
            &mut data.pszClientUserName,
            &mut data.pszServerName,
            &mut data.pszOperation,
            &mut data.pszTarget,
            &mut data.pszParameters,
        ];
        let text = text.text();
        *fields[field] = start(text.as_ref()).cast::<c_char>();
        text.into_iter().for_each(|text| self.run.keep(text));
        (data.dwHttpStatus, data.dwWin32Status) = (status, status);
        Ok(())
    }

    fn reset_authentication(&self, value: i32) -> Called {
        if self.notification != sf::SF_NOTIFY_AUTH_COMPLETE {
            return Ok(());
        }
        // SAFETY: this is the struct of AUTH_COMPLETE, and it is ours during the visit.
        let data = unsafe { &mut *self.data.cast::<sf::HTTP_FILTER_AUTH_COMPLETE_INFO>() };
        data.fResetAuth = value;
        self.calls.user_token(data.GetUserToken)
    }

    /// Uses the context of another filter, which is served only if that filter is being notified; or none at all.
    fn foreign(&self, which: u8) -> Called {
        match self.run.context_of_idle(usize::from(which)) {
            Some(other) => other.expect_refusal(),
            None => self.calls.with(no_context(which)).expect_refusal(),
        }
        Ok(())
    }
}

/// Checks the size that came with a value.
fn check_answer(called: Called, room: Option<&Memory>, size: Option<u32>) {
    if called.is_ok() {
        let (room, size) = (room.expect("null takes no value"), size.expect("nor does a buffer of unknown size"));
        // With its NUL at the end.
        assert_eq!(room.bytes().get(..size as usize).and_then(<[u8]>::last), Some(&0), "a value of another size");
    }
}
