//! Compares size, alignment and each member's offset of every struct with two oracles: the crate
//! `windows-sys` and mingw-w64's headers. The table of `src/layout.rs` names the structs; the
//! 64-bit numbers compared are what Rust says, the 32-bit ones are the table's, as Rust's own are
//! asserted only when compiling for that target.

mod mingw;

use std::fmt::Write;

/// One struct: name, size, alignment, and the offset of each member.
type Layout = (&'static str, usize, usize, Vec<(&'static str, usize)>);

macro_rules! layouts_from_rust {
    ($($name:ident: $s64:literal | $s32:literal, align $a64:literal | $a32:literal {
        $($field:ident: $o64:literal | $o32:literal,)*
    })*) => {
        vec![$((
            stringify!($name),
            size_of::<$name>(),
            align_of::<$name>(),
            vec![$((stringify!($field), std::mem::offset_of!($name, $field)),)*],
        ),)*]
    };
}

macro_rules! layouts_in_32_bit_column {
    ($($name:ident: $s64:literal | $s32:literal, align $a64:literal | $a32:literal {
        $($field:ident: $o64:literal | $o32:literal,)*
    })*) => {
        vec![$((stringify!($name), $s32, $a32, vec![$((stringify!($field), $o32),)*]),)*]
    };
}

/// The layouts of our structs on this target.
fn ours() -> Vec<Layout> {
    use isapi_abi::httpext::*;
    use isapi_abi::httpfilt::*;
    isapi_abi::for_each_struct!(layouts_from_rust)
}

/// The layouts of the same structs in `windows-sys`, on this target.
fn windows_sys() -> Vec<Layout> {
    use windows_sys::Win32::Security::Cryptography::CERT_CONTEXT;
    use windows_sys::Win32::System::Iis::*;
    isapi_abi::for_each_struct!(layouts_from_rust)
}

#[test]
fn layouts_are_those_of_windows_sys() {
    assert_eq!(ours(), windows_sys());
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no compiler")]
#[cfg(target_pointer_width = "64")]
fn layouts_are_those_of_mingw_in_64_bit() {
    mingw::compile(&static_assertions(&ours()), &["-fsyntax-only", "-m64"]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no compiler")]
fn layouts_are_those_of_mingw_in_32_bit() {
    let layouts: Vec<Layout> = isapi_abi::for_each_struct!(layouts_in_32_bit_column);
    mingw::compile(&static_assertions(&layouts), &["-fsyntax-only", "-m32"]);
}

/// C text that compiles when the headers agree with `layouts`.
fn static_assertions(layouts: &[Layout]) -> String {
    let mut source = mingw::INCLUDES.to_owned();
    for (name, size, align, fields) in layouts {
        assert_equal(&mut source, &format!("sizeof({name})"), *size);
        assert_equal(&mut source, &format!("_Alignof({name})"), *align);
        for (field, offset) in fields {
            assert_equal(&mut source, &format!("offsetof({name}, {field})"), *offset);
        }
    }
    source
}

fn assert_equal(source: &mut String, expression: &str, value: usize) {
    writeln!(source, "_Static_assert({expression} == {value}, \"{expression} is not {value}\");")
        .expect("a String accepts all text");
}
