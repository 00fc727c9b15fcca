//! Generates `include/isapi.h`, the contract for native modules on Unix, and tries it with a C compiler.
//!
//! The declarations come out of our sources through cbindgen; the frame around them, with the prototypes
//! of the entry points, is `header/isapi.h.in`. The committed file has to be what is generated:
//! `ISAPI_UPDATE_HEADER=1` writes it. Not for Windows, which has headers of its own, nor for Miri: a generator and a
//! compiler have nothing that it could check.
#![cfg(all(unix, not(miri)))]

use std::path::{Path, PathBuf};
use std::process::Command;

use cbindgen::{Builder, Config, DocumentationStyle, Language, Style};

/// Where the declarations are taken from; `lib.rs` leads cbindgen to the others.
const SOURCES: &[&str] =
    &[include_str!("../src/lib.rs"), include_str!("../src/httpext.rs"), include_str!("../src/httpfilt.rs")];

/// Not for C: the first two are in the frame, the third is between loader and bridge.
const EXCLUDED: &[&str] = &["TRUE", "FALSE", "BRIDGE_TABLE_VERSION"];

fn in_crate(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The names of all structs and types in [`SOURCES`]: cbindgen leaves out what no function mentions.
/// Structs come first, or it would write a struct before the callback types of its own members.
fn type_names() -> Vec<String> {
    ["pub struct ", "pub type "]
        .iter()
        .flat_map(|keyword| {
            SOURCES.iter().flat_map(|source| source.lines()).map(move |line| line.strip_prefix(*keyword))
        })
        .filter_map(|rest| rest?.split([' ', '=']).next().map(str::to_owned))
        .collect()
}

fn declarations() -> String {
    let mut config = Config {
        language: Language::C,
        style: Style::Both,
        documentation_style: DocumentationStyle::C99,
        no_includes: true,
        line_length: 110,
        ..Config::default()
    };
    config.export.include = type_names();
    config.export.exclude = EXCLUDED.iter().map(|&name| name.to_owned()).collect();
    let bindings = Builder::new()
        .with_config(config)
        .with_src(in_crate("src/lib.rs"))
        .generate()
        .expect("the sources are Rust that cbindgen understands");
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).expect("cbindgen writes UTF-8");
    // Rustdoc's marks mean nothing to a reader of C.
    text.replace("[`", "`").replace("`]", "`").replace("::", ".")
}

fn generate() -> String {
    include_str!("header/isapi.h.in").replace("@DECLARATIONS@\n", &declarations())
}

#[test]
fn the_committed_header_is_what_is_generated() {
    let path = in_crate("include/isapi.h");
    let generated = generate();
    if std::env::var_os("ISAPI_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/isapi.h can be written");
    }
    let committed = std::fs::read_to_string(&path).expect("include/isapi.h can be read");
    let difference = committed.lines().zip(generated.lines()).enumerate().find(|(_, (old, new))| old != new);
    assert!(
        committed == generated,
        "include/isapi.h is out of date, first at {difference:?}; \
         ISAPI_UPDATE_HEADER=1 cargo test -p isapi-abi --test header writes it"
    );
}

#[test]
fn nothing_of_loader_and_bridge_is_in_the_header() {
    let header = generate().to_lowercase();
    for word in ["bridge", "fence", "script_info", "scriptinfo"] {
        assert!(!header.contains(word), "{word} is in the header");
    }
}

#[test]
fn a_c_extension_compiles_against_the_header() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(folder.join("isapi.h"), generate()).expect("the build's folder can be written");
    let output = Command::new("gcc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-fPIC", "-shared", "-I"])
        .arg(folder)
        .arg("-o")
        .arg(folder.join("extension.so"))
        .arg(in_crate("tests/header/extension.c"))
        .output()
        .expect("gcc is installed");
    assert!(output.status.success(), "gcc:\n{}", String::from_utf8_lossy(&output.stderr));
}
