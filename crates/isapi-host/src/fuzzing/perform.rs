//! Each step of a program, as a call of the host. Everything that the host is given is memory of its own, which is
//! freed when the call returns, or when the operation that it is lent to has been completed.
#![expect(unsafe_code, reason = "calls the host with raw pointers, as modules do")]

use std::ffi::c_void;
use std::os::fd::AsRawFd;
use std::ptr::{null_mut, without_provenance_mut};
use std::thread;

use isapi_abi::HANDLE;
use isapi_abi::httpext::{self as hse, HSE_IO_ASYNC};
use isapi_abi::win32;

use super::books::{Pending, Success};
use super::calls::{Called, start};
use super::memory::Memory;
use super::module::{Module, completed};
use super::operations::{Data, Element, Handle, Operation, Room, Transmit, Vector};
use super::program::is_part_of_body;
use super::stage;
use crate::extension::sessions::SessionId;
use crate::lock::LockAnyway;

impl Data {
    /// As memory of a module.
    pub(super) fn memory(&self) -> Option<Memory> {
        self.bytes().map(|bytes| Memory::of(&bytes))
    }

    /// With a NUL at its end.
    pub(super) fn text(&self) -> Option<Memory> {
        self.bytes().map(|bytes| Memory::text(&bytes))
    }

    fn wide(&self) -> Option<Vec<u8>> {
        let text = String::from_utf8_lossy(&self.bytes()?).into_owned();
        Some(text.encode_utf16().chain([0]).flat_map(u16::to_ne_bytes).collect())
    }
}

impl Room {
    /// Pointer and size for a call.
    pub(super) fn arguments(self) -> (Option<Memory>, Option<u32>) {
        match self {
            Room::None(size) => (None, Some(size)),
            Room::Bytes(length) => {
                let memory = Memory::filled(0, length);
                let size = memory.size();
                (Some(memory), Some(size))
            }
            Room::Unsized => (Some(Memory::filled(0, 8)), None),
        }
    }
}

impl Handle {
    fn raw(self) -> HANDLE {
        let number = match self {
            Handle::File => stage::FILE.as_raw_fd(),
            Handle::Folder => stage::FOLDER.as_raw_fd(),
            // A descriptor that is never opened.
            Handle::Invalid => i32::MAX,
            Handle::Null => 0,
        };
        without_provenance_mut(usize::try_from(number).expect("descriptors are not negative"))
    }

    /// How many bytes a range of it has, when 0 stands for all.
    fn range(self, offset: u64, length: u64) -> u64 {
        if length > 0 { length } else { stage::FILE_LENGTH.saturating_sub(offset) }
    }
}

fn size_of_memory(memory: Option<&Memory>) -> u32 {
    memory.map_or(0, Memory::size)
}

impl Module {
    /// Does one step. What a call answers is the host's affair, unless it breaks the contract.
    pub(super) fn step(&self, step: &Operation) {
        let _: Called = match step {
            Operation::Variable { name, room } => self.variable(name, *room),
            Operation::Write { data, flags, with_size } => self.write(data, *flags, *with_size),
            Operation::WriteAsync { data, flags } => return self.write_async(data, *flags),
            Operation::Read { room } => self.read(*room),
            Operation::ReadAsync { room, is_async } => return self.read_async(*room, *is_async),
            Operation::Register { callback } => self.register(*callback),
            Operation::SendHead { status, headers } => self.send_head(status, headers),
            Operation::SendHeadEx { status, headers, keep } => self.send_head_ex(status, headers, *keep),
            Operation::Text { request, text } => self.request(*request, text.text().as_ref()),
            Operation::Done { status } => self.done(*status),
            Operation::Transmit(transmit) => return self.transmit(transmit),
            Operation::Vector(vector) => return self.vector(vector),
            Operation::CustomError { status, sub_status, is_async } => {
                return self.custom_error(status, *sub_status, *is_async);
            }
            Operation::Map { wide, url, room } => self.map(*wide, url, *room),
            Operation::MapEx { wide, url, with_size, with_struct } => self.map_ex(*wide, url, *with_size, *with_struct),
            Operation::Fill { request, with_room } => self.fill(*request, *with_room),
            Operation::Bare { request, number } => self.bare(*request, without_provenance_mut(*number)),
            Operation::ExecUrl { request } => self.exec_url(*request),
            Operation::Stale { which } => self.stale(*which),
            Operation::ShrinkFile { length } => {
                // Longer than it is it does not become.
                stage::shrink_file(*length);
                Ok(())
            }
            Operation::StartThread => return self.start_thread(),
            Operation::Yield { turns } => return (0..*turns).for_each(|_| thread::yield_now()),
            Operation::Await => return self.await_completion(),
            Operation::Stop => return,
        };
    }

    fn variable(&self, name: &Data, room: Room) -> Called {
        let (memory, mut size) = room.arguments();
        self.calls.variable(name.text().as_ref(), memory.as_ref(), size.as_mut())
    }

    fn write(&self, data: &Data, flags: u32, with_size: bool) -> Called {
        let data = data.memory();
        let mut size = size_of_memory(data.as_ref());
        // SAFETY: the size is that of the data.
        unsafe { self.calls.write(start(data.as_ref()), with_size.then_some(&mut size), flags) }
    }

    fn write_async(&self, data: &Data, flags: u32) {
        let data = data.memory();
        let (address, mut size) = (start(data.as_ref()), size_of_memory(data.as_ref()));
        let pending = Pending::new(Success::Sent(size.into()), data.into_iter().collect());
        // SAFETY: the size is that of the data, which is kept until the completion.
        self.start(pending, || unsafe { self.calls.write(address, Some(&mut size), flags | HSE_IO_ASYNC) });
    }

    fn read(&self, room: Room) -> Called {
        let (memory, mut size) = room.arguments();
        self.calls.read(memory.as_ref(), size.as_mut())?;
        if let (Some(memory), Some(size)) = (memory, size) {
            assert!(is_part_of_body(&memory.bytes()[..size as usize]), "bytes that are not the body's");
        }
        Ok(())
    }

    fn read_async(&self, room: Room, is_async: bool) {
        let (memory, mut size) = room.arguments();
        let address = start(memory.as_ref());
        let mut data_type = if is_async { HSE_IO_ASYNC } else { hse::HSE_IO_SYNC };
        let size = size.as_mut().map_or(null_mut(), std::ptr::from_mut);
        let pending = Pending::new(Success::Read, memory.into_iter().collect());
        let request = hse::HSE_REQ_ASYNC_READ_CLIENT;
        // SAFETY: the size is that of the room, which is kept until the completion.
        self.start(pending, || unsafe { self.calls.support(request, address, size, (&raw mut data_type).cast()) });
    }

    fn register(&self, callback: bool) -> Called {
        let _starting = self.starting.lock_anyway();
        let function = if callback { completed as *mut c_void } else { null_mut() };
        if !callback {
            self.books.lock_anyway().registers(false);
        }
        let request = hse::HSE_REQ_IO_COMPLETION;
        // SAFETY: a callback of the right type, or null.
        unsafe { self.calls.support(request, function, null_mut(), self.context()) }?;
        if callback {
            self.books.lock_anyway().registers(true);
        }
        Ok(())
    }

    fn send_head(&self, status: &Data, headers: &Data) -> Called {
        let (status, headers) = (status.text(), headers.text());
        let (status, headers) = (start(status.as_ref()), start(headers.as_ref()));
        let request = hse::HSE_REQ_SEND_RESPONSE_HEADER;
        // SAFETY: both have their NUL.
        unsafe { self.calls.support(request, status, null_mut(), headers) }
    }

    fn send_head_ex(&self, status: &Data, headers: &Data, keep: bool) -> Called {
        let (status, headers) = (status.memory(), headers.memory());
        let mut info = hse::HSE_SEND_HEADER_EX_INFO {
            pszStatus: start(status.as_ref()).cast(),
            pszHeader: start(headers.as_ref()).cast(),
            cchStatus: size_of_memory(status.as_ref()),
            cchHeader: size_of_memory(headers.as_ref()),
            fKeepConn: keep.into(),
        };
        self.bare(hse::HSE_REQ_SEND_RESPONSE_HEADER_EX, (&raw mut info).cast())
    }

    fn done(&self, status: Option<u32>) -> Called {
        self.books.lock_anyway().is_done();
        let status = status.map(|status| Memory::of(&status.to_ne_bytes()));
        self.request(hse::HSE_REQ_DONE_WITH_SESSION, status.as_ref())
    }

    fn request(&self, request: u32, buffer: Option<&Memory>) -> Called {
        self.bare(request, start(buffer))
    }

    /// A request with a buffer alone.
    fn bare(&self, request: u32, buffer: *mut c_void) -> Called {
        // SAFETY: callers give what the contract says of this request's buffer, or null.
        unsafe { self.calls.ask(request, buffer) }
    }

    fn transmit(&self, transmit: &Transmit) {
        let sends_head = transmit.flags & hse::HSE_IO_SEND_HEADERS != 0;
        let head = if sends_head { transmit.head.text() } else { transmit.head.memory() };
        let (status, tail) = (transmit.status.text(), transmit.tail.memory());
        let (head_length, tail_length) = (size_of_memory(head.as_ref()), size_of_memory(tail.as_ref()));
        let mut info = hse::HSE_TF_INFO {
            pfnHseIO: transmit.own_callback.then_some(completed),
            pContext: self.context(),
            hFile: transmit.file.raw(),
            pszStatusCode: start(status.as_ref()).cast(),
            BytesToWrite: transmit.length,
            Offset: transmit.offset,
            pHead: start(head.as_ref()),
            HeadLength: head_length,
            pTail: start(tail.as_ref()),
            TailLength: tail_length,
            dwFlags: transmit.flags,
        };
        let file = transmit.file.range(transmit.offset.into(), transmit.length.into());
        let total = file + u64::from(tail_length) + u64::from(if sends_head { 0 } else { head_length });
        let mut pending = Pending::new(stage::sent(total), [status, head, tail].into_iter().flatten().collect());
        pending.own_callback = transmit.own_callback;
        let is_async = transmit.flags & HSE_IO_ASYNC != 0;
        self.send(is_async, pending, || self.bare(hse::HSE_REQ_TRANSMIT_FILE, (&raw mut info).cast()));
    }

    /// Makes a call that sends `pending`, at once or asynchronously.
    fn send(&self, is_async: bool, pending: Pending, call: impl FnOnce() -> Called) {
        if is_async {
            self.start(pending, call);
        } else {
            // Whether it succeeds is the host's affair.
            let _ = call();
        }
    }

    fn vector(&self, vector: &Vector) {
        let (mut lent, mut total, mut elements) = (Vec::new(), 0, Vec::new());
        for element in &vector.elements {
            let (raw, memory) = element.raw();
            total += raw.1;
            elements.push(raw.0);
            lent.extend(memory);
        }
        let (status, headers) = (vector.status.text(), vector.headers.text());
        let array = if vector.without_array { null_mut() } else { elements.as_mut_ptr() };
        let mut info = hse::HSE_RESPONSE_VECTOR {
            dwFlags: vector.flags,
            pszStatus: start(status.as_ref()).cast(),
            pszHeaders: start(headers.as_ref()).cast(),
            nElementCount: u32::try_from(elements.len()).expect("there are a few"),
            lpElementArray: array,
        };
        lent.extend([status, headers].into_iter().flatten());
        let pending = Pending::new(stage::sent(total), lent);
        let is_async = vector.flags & HSE_IO_ASYNC != 0;
        self.send(is_async, pending, || self.bare(hse::HSE_REQ_VECTOR_SEND, (&raw mut info).cast()));
    }

    fn custom_error(&self, status: &Data, sub_status: u16, is_async: bool) {
        let status = status.text();
        let mut info = hse::HSE_CUSTOM_ERROR_INFO {
            pszStatus: start(status.as_ref()).cast(),
            uHttpSubError: sub_status,
            fAsync: is_async.into(),
        };
        let pending = Pending::new(Success::Unknown, status.into_iter().collect());
        self.send(is_async, pending, || self.bare(hse::HSE_REQ_SEND_CUSTOM_ERROR, (&raw mut info).cast()));
    }

    fn map(&self, wide: bool, url: &Data, room: usize) -> Called {
        let (request, text) = if wide {
            (hse::HSE_REQ_MAP_UNICODE_URL_TO_PATH, url.wide())
        } else {
            (hse::HSE_REQ_MAP_URL_TO_PATH, url.text().map(|text| text.bytes().to_vec()))
        };
        let buffer = text.map(|text| Memory::of(&[text, vec![0; room]].concat()));
        let mut size = size_of_memory(buffer.as_ref());
        let before = size;
        // SAFETY: the size is that of the buffer.
        let mapped = unsafe { self.calls.support(request, start(buffer.as_ref()), &raw mut size, null_mut()) };
        if mapped == Err(win32::ERROR_INSUFFICIENT_BUFFER) {
            assert!(size > before, "{size} bytes are needed, and {before} are not enough");
        }
        mapped
    }

    fn map_ex(&self, wide: bool, url: &Data, with_size: bool, with_struct: bool) -> Called {
        let (request, text, length) = if wide {
            let length = size_of::<hse::HSE_UNICODE_URL_MAPEX_INFO>();
            (hse::HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX, url.wide().map(|url| Memory::of(&url)), length)
        } else {
            (hse::HSE_REQ_MAP_URL_TO_PATH_EX, url.text(), size_of::<hse::HSE_URL_MAPEX_INFO>())
        };
        let info = with_struct.then(|| Memory::filled(0, length));
        let mut size = size_of_memory(text.as_ref());
        let size = if with_size { &raw mut size } else { null_mut() };
        // SAFETY: the text has its NUL, and the struct its size.
        unsafe { self.calls.support(request, start(text.as_ref()), size, start(info.as_ref())) }
    }

    /// A request that fills a struct, of which none has more than 28 bytes.
    fn fill(&self, request: u32, with_room: bool) -> Called {
        let room = Memory::filled(0, size_of::<hse::HSE_TRACE_INFO>());
        self.bare(request, if with_room { room.start() } else { null_mut() })
    }

    /// EXEC_URL, EXEC_UNICODE_URL and GET_EXEC_URL_STATUS. When the host serves them: a struct of valid pointers, and a
    /// start by [`Module::start`], since they are always asynchronous.
    fn exec_url(&self, request: u32) -> Called {
        self.bare(request, null_mut())
    }

    /// A call under a handle that no request has, or no longer.
    fn stale(&self, which: u8) -> Called {
        let own = self.calls.conn.addr();
        let address = match which & 3 {
            0 => 0,
            1 => usize::MAX,
            // Another generation of the same slot.
            2 => own ^ (usize::from(which >> 2) + 1) << 32,
            // A slot that is never reached.
            _ => own ^ 1 << 31,
        };
        let mut calls = self.calls;
        calls.conn = without_provenance_mut(address);
        assert_ne!(SessionId::from_address(address), SessionId::from_address(own));
        let answer = calls.read(None, Some(&mut 0));
        assert_eq!(answer, Err(win32::ERROR_INVALID_PARAMETER), "a handle that names nothing is taken");
        answer
    }
}

impl Element {
    /// The element, how many bytes it sends, and its memory.
    fn raw(&self) -> ((hse::HSE_VECTOR_ELEMENT, u64), Option<Memory>) {
        let element = |kind, context, offset, size| hse::HSE_VECTOR_ELEMENT {
            ElementType: kind,
            pvContext: context,
            cbOffset: offset,
            cbSize: size,
        };
        match self {
            Element::Memory { data, offset } => {
                let memory = data.memory();
                let length = u64::from(size_of_memory(memory.as_ref()));
                let offset = length.min(u64::from(*offset));
                let kind = hse::HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER;
                ((element(kind, start(memory.as_ref()), offset, length - offset), length - offset), memory)
            }
            Element::File { file, offset, length } => {
                let kind = hse::HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE;
                ((element(kind, file.raw(), *offset, *length), file.range(*offset, *length)), None)
            }
            Element::Unknown(kind) => ((element(*kind, null_mut(), 0, 1), 1), None),
        }
    }
}
