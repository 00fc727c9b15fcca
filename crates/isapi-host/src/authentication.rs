//! Who the client is: what it sends for Basic authentication, and the password file that this is compared with.
//!
//! A line of the file is `name:$argon2id$…`. Comparing takes milliseconds on purpose, so what was right a moment ago is
//! remembered by a keyed digest; it is for native threads.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

use crate::error::HostError;
use crate::lock::LockAnyway;

/// The longest name and password, as ISAPI has them.
pub(crate) const MAX_CREDENTIAL: usize = 256;
/// How long a comparison is remembered, and how many are.
const REMEMBERED: Duration = Duration::from_secs(300);
const MAX_REMEMBERED: usize = 1024;

/// What an unknown name is compared with.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default().hash_password(b"", &salt).map_or_else(|_| String::new(), |hash| hash.to_string())
});

/// What a client sends with Basic authentication. Both are bytes as they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

/// A client that has been authenticated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) credentials: Credentials,
    /// `Basic`.
    pub(crate) kind: &'static str,
}

impl Credentials {
    /// Those in the header `Authorization`; `None` when there are none of this kind.
    pub(crate) fn presented(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::AUTHORIZATION)?.as_bytes();
        let (scheme, encoded) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let decoded = STANDARD.decode(encoded.trim_ascii()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (user, password) = (decoded[..colon].to_vec(), decoded[colon + 1..].to_vec());
        let fits = |text: &[u8]| text.len() <= MAX_CREDENTIAL && !text.contains(&0);
        (fits(&user) && fits(&password)).then_some(Credentials { user, password })
    }
}

/// The users of a password file.
#[derive(Debug, Clone, Default)]
pub struct Users {
    /// The hash of each user's password, in the PHC form.
    hashes: HashMap<String, String>,
}

impl Users {
    /// Reads a password file: a line `name:hash` for each user; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is none of these.
    pub fn read(file: &Path) -> Result<Self, HostError> {
        let failed = |line: usize, reason: String| HostError::BadPasswordFile { path: file.to_owned(), line, reason };
        let text = fs::read_to_string(file).map_err(|error| failed(0, error.to_string()))?;
        let mut hashes = HashMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line
                .split_once(':')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| failed(index + 1, "expected NAME:HASH".to_owned()))?;
            PasswordHash::new(hash).map_err(|error| failed(index + 1, format!("the hash is not valid: {error}")))?;
            if hashes.insert(name.to_owned(), hash.to_owned()).is_some() {
                return Err(failed(index + 1, format!("{name:?} is there twice")));
            }
        }
        Ok(Users { hashes })
    }

    /// The line for a user of this password.
    ///
    /// # Errors
    /// When name or password cannot be used: empty, too long, or with a colon or control character in the name.
    pub fn line(name: &str, password: &str) -> Result<String, String> {
        if name.is_empty() || name.len() > MAX_CREDENTIAL || name.contains(':') || name.chars().any(char::is_control) {
            return Err(format!("the name {name:?} must have 1 to {MAX_CREDENTIAL} bytes, without colon"));
        }
        if name.starts_with('#') || name.trim() != name {
            return Err(format!("the name {name:?} must not begin with # nor begin or end with a blank"));
        }
        if password.is_empty() || password.len() > MAX_CREDENTIAL || password.contains('\0') {
            return Err(format!("a password must have 1 to {MAX_CREDENTIAL} bytes"));
        }
        let salt = SaltString::generate(&mut OsRng);
        let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|error| error.to_string())?;
        Ok(format!("{name}:{hash}"))
    }

    /// Whether these are name and password of a user. Works for milliseconds.
    fn knows(&self, credentials: &Credentials) -> bool {
        let name = std::str::from_utf8(&credentials.user).ok();
        let known = name.and_then(|name| self.hashes.get(name));
        // The time that it takes must not tell which names there are.
        let hash = PasswordHash::new(known.unwrap_or(&NOBODY));
        let is_right = hash.is_ok_and(|hash| Argon2::default().verify_password(&credentials.password, &hash).is_ok());
        is_right && known.is_some()
    }
}

/// The users of one server, and who has shown the right password a moment ago.
pub(crate) struct Logon {
    users: Users,
    /// When a comparison succeeded, by a digest that only this process can make.
    right: Mutex<HashMap<(u64, u64), Instant>>,
    keys: [RandomState; 2],
}

impl Logon {
    pub(crate) fn new(users: Users) -> Self {
        Logon { users, right: Mutex::default(), keys: [RandomState::new(), RandomState::new()] }
    }

    /// Whether the credentials are right. May work for milliseconds: for native threads.
    pub(crate) fn accepts(&self, credentials: &Credentials) -> bool {
        let digest = self.digest(credentials);
        let fresh = |when: &Instant| when.elapsed() < REMEMBERED;
        if self.right.lock_anyway().get(&digest).is_some_and(fresh) {
            return true;
        }
        crate::executor::about_to_block();
        let known = self.users.knows(credentials);
        if known {
            let mut right = self.right.lock_anyway();
            if right.len() >= MAX_REMEMBERED {
                right.clear();
            }
            right.insert(digest, Instant::now());
        }
        known
    }

    fn digest(&self, credentials: &Credentials) -> (u64, u64) {
        let digest = |key: &RandomState| key.hash_one((&credentials.user, &credentials.password));
        (digest(&self.keys[0]), digest(&self.keys[1]))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn presented(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).expect("a value"));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Credentials::presented(&headers).map(|credentials| (text(credentials.user), text(credentials.password)))
    }

    #[test]
    fn basic_credentials_are_a_name_and_a_password() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(presented("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), pair("Aladdin", "open sesame"));
        assert_eq!(presented("basic dTphOmI="), pair("u", "a:b"));
        assert_eq!(presented("basic Og=="), pair("", ""));
        for none in ["", "Basic", "Basic ", "Basic !!", "Basic dQ==", "Bearer dTpw", "Basic dQA6cA=="] {
            assert_eq!(presented(none), None, "{none}");
        }
        let long = STANDARD.encode(format!("{}:p", "u".repeat(257)));
        assert_eq!(presented(&format!("Basic {long}")), None);
    }

    #[test]
    fn only_the_right_password_is_accepted() {
        let line = Users::line("mary", "secret").expect("valid");
        let (name, hash) = line.split_once(':').expect("a line");
        let logon = Logon::new(Users { hashes: HashMap::from([(name.to_owned(), hash.to_owned())]) });
        let try_with =
            |user: &str, password: &str| logon.accepts(&Credentials { user: user.into(), password: password.into() });
        assert!(try_with("mary", "secret") && try_with("mary", "secret"));
        assert!(!try_with("mary", "Secret") && !try_with("eve", "secret") && !try_with("", ""));
    }

    #[test]
    fn names_that_would_break_the_file_are_refused() {
        for name in ["", "a:b", "a\nb", "#a", " a", &"x".repeat(257)] {
            assert!(Users::line(name, "p").is_err(), "{name:?}");
        }
        assert!(Users::line("a", "").is_err());
    }
}
