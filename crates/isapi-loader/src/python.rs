//! libpython through function pointers: loading it, starting it, taking the bridge's table.
//!
//! Python is never finalised and its library never unloaded. If the process already runs Python it is
//! shared.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use isapi_abi::bridge_table::{BRIDGE_TABLE_VERSION, BridgeTable, CAPSULE_NAME};

use crate::interpreter::Interpreter;
use crate::message::LoadError;

type Wide = libc::wchar_t;

/// A loaded libpython.
#[derive(Clone, Copy)]
pub struct Library(*mut c_void);

impl Library {
    /// The Python that the process already runs, if any.
    pub fn running() -> Option<Self> {
        // The null handle on Linux means: all that is loaded for everybody to use.
        let library = Self(libc::RTLD_DEFAULT);
        library.is_initialized().then_some(library)
    }

    /// Loads the library by its path, for extension modules to find its symbols.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let failed = |reason: String| LoadError::Library { library: path.to_owned(), reason };
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| failed(error.to_string()))?;
        // SAFETY: the name is NUL-terminated; libpython's initialisers run no Python.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
        if handle.is_null() {
            return Err(failed(linker_message()));
        }
        Ok(Self(handle))
    }

    fn symbol(self, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: the handle is a loaded library (or the default scope) and the name is NUL-terminated.
        let address = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        (!address.is_null()).then_some(address)
    }

    fn is_initialized(self) -> bool {
        self.symbol(c"Py_IsInitialized").is_some_and(|address| {
            // SAFETY: the function's type by the C API; it may be called at any time.
            unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> c_int>(address)() != 0 }
        })
    }
}

/// Declares the C functions used, with their types, as methods that look the symbol up.
macro_rules! functions {
    ($($name:ident($($type:ty),*) $(-> $result:ty)?;)*) => {
        #[allow(non_snake_case)]
        struct Functions { $($name: unsafe extern "C" fn($($type),*) $(-> $result)?,)* }

        impl Functions {
            fn find(library: Library) -> Result<Self, String> {
                Ok(Self { $($name: {
                    let name = CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()).expect("ends with NUL");
                    let address = library.symbol(name).ok_or(concat!("it has no ", stringify!($name)).to_owned())?;
                    // SAFETY: the types are those of CPython's documentation.
                    unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) $(-> $result)?>(address) }
                },)* })
            }
        }
    };
}

functions! {
    PyGILState_Ensure() -> c_int;
    PyGILState_Release(c_int);
    PyEval_SaveThread() -> *mut c_void;
    PyImport_ImportModule(*const c_char) -> *mut c_void;
    PyCapsule_Import(*const c_char, c_int) -> *mut c_void;
    PyErr_PrintEx(c_int);
}

/// Starts Python as `interpreter` would. The caller holds the process's start lock.
pub fn start(interpreter: &Interpreter) -> Result<Library, LoadError> {
    let library = Library::load(&interpreter.library)?;
    let failed = |reason: String| LoadError::Start { library: interpreter.library.clone(), reason };
    let program =
        CString::new(interpreter.program.as_os_str().as_bytes()).map_err(|error| failed(error.to_string()))?;
    let functions = Functions::find(library).map_err(failed)?;
    if library.symbol(c"PyInitConfig_Create").is_some() {
        start_with_config(library, &program).map_err(failed)?;
    } else {
        start_with_program_name(library, &program).map_err(failed)?;
    }
    // SAFETY: this thread has just started Python and holds the interpreter; others must be able to take it.
    unsafe { (functions.PyEval_SaveThread)() };
    Ok(library)
}

/// Imports the bridge and takes its table.
pub fn bridge_table(library: Library, python: &Path) -> Result<&'static BridgeTable, LoadError> {
    let functions =
        Functions::find(library).map_err(|reason| LoadError::Library { library: python.to_owned(), reason })?;
    // SAFETY: Python runs; Ensure and Release enclose all that needs the interpreter, on this thread.
    let table = unsafe {
        let state = (functions.PyGILState_Ensure)();
        let module = (functions.PyImport_ImportModule)(c"pyisapi._bridge".as_ptr());
        let table = if module.is_null() { module } else { (functions.PyCapsule_Import)(CAPSULE_NAME.as_ptr(), 0) };
        if table.is_null() {
            (functions.PyErr_PrintEx)(0);
        }
        (functions.PyGILState_Release)(state);
        table
    };
    if table.is_null() {
        return Err(LoadError::Bridge { python: python.display().to_string() });
    }
    // SAFETY: the capsule of this name holds the bridge's static table, whose first members never change.
    let table: &'static BridgeTable = unsafe { &*table.cast::<BridgeTable>() };
    if table.version != BRIDGE_TABLE_VERSION || (table.size as usize) < size_of::<BridgeTable>() {
        return Err(LoadError::BridgeVersion { found: table.version, expected: BRIDGE_TABLE_VERSION });
    }
    Ok(table)
}

/// CPython 3.11 to 3.13: the program's name leads Python to its folders and to a virtual environment.
fn start_with_program_name(library: Library, program: &CStr) -> Result<(), String> {
    type Decode = unsafe extern "C" fn(*const c_char, *mut usize) -> *mut Wide;
    type SetName = unsafe extern "C" fn(*const Wide);
    type Initialize = unsafe extern "C" fn(c_int);
    let find = |name: &CStr| library.symbol(name).ok_or(format!("it has no {}", name.to_string_lossy()));
    // SAFETY: the types are those of CPython's documentation. The decoded name is never freed, as SetProgramName
    // wants; 0 leaves the process's signal handlers alone.
    unsafe {
        let decode = std::mem::transmute::<*mut c_void, Decode>(find(c"Py_DecodeLocale")?);
        let set_name = std::mem::transmute::<*mut c_void, SetName>(find(c"Py_SetProgramName")?);
        let initialize = std::mem::transmute::<*mut c_void, Initialize>(find(c"Py_InitializeEx")?);
        let name = decode(program.as_ptr(), std::ptr::null_mut());
        if name.is_null() {
            return Err(format!("{} cannot be decoded", program.to_string_lossy()));
        }
        set_name(name);
        initialize(0);
    }
    if library.is_initialized() { Ok(()) } else { Err("it did not initialise".to_owned()) }
}

/// CPython 3.14 and later: `PyInitConfig` (PEP 741).
fn start_with_config(library: Library, program: &CStr) -> Result<(), String> {
    type Create = unsafe extern "C" fn() -> *mut c_void;
    type Free = unsafe extern "C" fn(*mut c_void);
    type SetStr = unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> c_int;
    type SetInt = unsafe extern "C" fn(*mut c_void, *const c_char, i64) -> c_int;
    type Initialize = unsafe extern "C" fn(*mut c_void) -> c_int;
    type GetError = unsafe extern "C" fn(*mut c_void, *mut *const c_char) -> c_int;
    let find = |name: &CStr| library.symbol(name).ok_or(format!("it has no {}", name.to_string_lossy()));
    // SAFETY: the types are those of PEP 741; the config is created, used and freed here, on this thread.
    unsafe {
        let create = std::mem::transmute::<*mut c_void, Create>(find(c"PyInitConfig_Create")?);
        let free = std::mem::transmute::<*mut c_void, Free>(find(c"PyInitConfig_Free")?);
        let set_str = std::mem::transmute::<*mut c_void, SetStr>(find(c"PyInitConfig_SetStr")?);
        let set_int = std::mem::transmute::<*mut c_void, SetInt>(find(c"PyInitConfig_SetInt")?);
        let initialize = std::mem::transmute::<*mut c_void, Initialize>(find(c"Py_InitializeFromInitConfig")?);
        let get_error = std::mem::transmute::<*mut c_void, GetError>(find(c"PyInitConfig_GetError")?);
        let config = create();
        if config.is_null() {
            return Err("out of memory".to_owned());
        }
        // The defaults are those of an isolated Python; a server's scripts want the ordinary environment.
        let ok = set_int(config, c"isolated".as_ptr(), 0) == 0
            && set_int(config, c"use_environment".as_ptr(), 1) == 0
            && set_int(config, c"install_signal_handlers".as_ptr(), 0) == 0
            && set_str(config, c"program_name".as_ptr(), program.as_ptr()) == 0
            && initialize(config) == 0;
        let mut message: *const c_char = std::ptr::null();
        let outcome = match ok {
            true => Ok(()),
            false if get_error(config, &mut message) != 0 && !message.is_null() => {
                Err(CStr::from_ptr(message).to_string_lossy().into_owned())
            }
            false => Err("it did not initialise".to_owned()),
        };
        free(config);
        outcome
    }
}

fn linker_message() -> String {
    // SAFETY: dlerror returns NULL or a message that lives until this thread's next call.
    unsafe {
        let message = libc::dlerror();
        if message.is_null() { "no message".to_owned() } else { CStr::from_ptr(message).to_string_lossy().into_owned() }
    }
}
