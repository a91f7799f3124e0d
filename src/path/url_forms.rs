//! The forms of the URLs that viewers request (tag `invalidation:urls`): how a URL is made of an object's key.
//!
//! Where a function at the edge rewrites URLs, the URL that viewers request, and that CloudFront caches, is not the key.
//! A form such as `/assets/:key` says what it is. Without the tag, the only form is `/:key`.
//!
//! Source: CloudFront developer guide, "What you need to know when invalidating files": if a function rewrites the URI,
//! both URIs are to be invalidated.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::invalidation_path::url_of;
use super::{DirectoryUrls, InvalidationPath, MAX_PATH_LENGTH, RelativeKey, UrlKind, ViewerUrl};
use crate::change::MAX_KEY_BYTES;
use crate::change::text::excerpt;

/// Forms of URLs: at least one.
///
/// ```
/// use s3_cloudfront_invalidator::path::UrlForms;
///
/// let forms = UrlForms::parse("/:key /assets/:page")?;
/// assert_eq!(forms.to_string(), "/:key /assets/:page");
/// let error = UrlForms::parse("/:key /assets/:kye").unwrap_err();
/// assert!(error.to_string().starts_with("form 2, \"/assets/:kye\", character 9: "), "{error}");
/// # Ok::<(), s3_cloudfront_invalidator::path::UrlFormError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlForms(Arc<[UrlForm]>);

/// One form: a literal, a word that stands for a part of the key, and another literal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UrlForm {
    text: String,
    /// The literal before the word, without its leading slash; not encoded.
    before: String,
    /// `None` only if the form ends with `:any`.
    word: Option<Word>,
    /// The literal after the word.
    after: String,
    /// Whether the form ends with `:any`: the URL is the start of all that are invalidated.
    has_any: bool,
}

/// What a word stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    /// The key without its first folder.
    is_rest: bool,
    /// An index document as its directory, and a name without its `.html`.
    is_page: bool,
}

impl Word {
    /// Returns the key, or the key without its first folder.
    fn part_of(self, key: &str) -> &str {
        if self.is_rest { key.split_once('/').map_or(key, |(_, rest)| rest) } else { key }
    }
}

/// The words by their names.
const WORDS: [(&str, Word); 4] = [
    ("key", Word { is_rest: false, is_page: false }),
    ("rest", Word { is_rest: true, is_page: false }),
    ("page", Word { is_rest: false, is_page: true }),
    ("restpage", Word { is_rest: true, is_page: true }),
];

/// The word for a wildcard at the end of a form.
const ANY: &str = "any";

/// The extension that a page's URL does not have.
const PAGE_EXTENSION: &str = ".html";

/// The most characters of a form's literals, percent-encoded: a path has room for them, a slash, the longest key with
/// every byte encoded, and the wildcard for query strings.
const MAX_LITERAL_LENGTH: usize = MAX_PATH_LENGTH - "/".len() - "%XX".len() * MAX_KEY_BYTES - "?*".len();

/// The file names that are index documents.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexNames<'n> {
    /// Those that the distribution serves under their directory's URL.
    pub(super) served: &'n [String],
    /// Those that are pages.
    pub(super) pages: &'n [String],
}

impl Default for UrlForms {
    /// The form `/:key`.
    fn default() -> Self {
        let (before, after) = (String::new(), String::new());
        let word = Some(Word { is_rest: false, is_page: false });
        Self([UrlForm { text: "/:key".to_owned(), before, word, after, has_any: false }].into())
    }
}

impl UrlForms {
    /// Parses forms separated by spaces.
    ///
    /// A form starts with `/`. It has characters that a tag's value may have, which stand for themselves, and words: a
    /// `:` and the lowercase letters that follow. One of them stands for the key or a part of it: `:key`, `:rest`,
    /// `:page` or `:restpage`. The form may end with `:any`, which is a wildcard.
    ///
    /// # Errors
    /// [`UrlFormError`] for the first form that is not one.
    pub fn parse(text: &str) -> Result<Self, UrlFormError> {
        let mut forms = Vec::new();
        for (index, text) in text.split_whitespace().enumerate() {
            let form = UrlForm::parse(text).map_err(|(character, problem)| UrlFormError::Form {
                number: index + 1,
                form: excerpt(text),
                character,
                problem,
            })?;
            forms.push(form);
        }
        if forms.is_empty() { Err(UrlFormError::Empty) } else { Ok(Self(forms.into())) }
    }

    /// Returns the URLs of an object, each with its form.
    pub(super) fn urls(
        &self,
        key: RelativeKey<'_>,
        index: IndexNames<'_>,
        directory_urls: DirectoryUrls,
    ) -> Vec<(ViewerUrl, &str)> {
        let mut urls: Vec<(ViewerUrl, &str)> = Vec::with_capacity(1);
        for form in &*self.0 {
            form.for_each_url(key.as_str(), index, directory_urls, |url| {
                // The URLs of one form differ.
                if self.0.len() == 1 || !urls.iter().any(|(other, _)| *other == url) {
                    urls.push((url, form.text.as_str()));
                }
            });
        }
        urls
    }

    /// Returns the first form whose word stands for this part of the key.
    pub(super) fn form_with(&self, key: RelativeKey<'_>, part: &str) -> Option<&str> {
        let form = self.0.iter().find(|form| form.word.is_some_and(|word| word.part_of(key.as_str()) == part));
        form.map(|form| form.text.as_str())
    }

    /// Whether the keys whose URLs start with a text are known, whatever the text: every form is a literal and `:key`.
    pub(super) fn are_invertible(&self) -> bool {
        self.0.iter().all(UrlForm::is_invertible)
    }

    /// Whether `includes` holds for prefixes of keys that together include every key with a URL that starts with
    /// `url_prefix`. `false` if no such prefixes are known.
    pub(super) fn all_keys_below(&self, url_prefix: &str, includes: impl Fn(&str) -> bool) -> bool {
        // In a URL a raw `+` is a space; a literal `+` is `%2B`.
        let with_spaces = url_prefix.strip_prefix('/').unwrap_or(url_prefix).replace('+', " ");
        let Ok(decoded) = percent_decode_str(&with_spaces).decode_utf8() else { return false };
        self.0.iter().all(|form| {
            form.is_invertible()
                && match decoded.strip_prefix(form.before.as_str()) {
                    Some(key_prefix) => includes(key_prefix),
                    // No URL of the form starts with the prefix, or every one does.
                    None => !form.before.starts_with(&*decoded) || includes(""),
                }
        })
    }
}

impl fmt::Display for UrlForms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(|form| form.text.as_str()).collect();
        f.write_str(&texts.join(" "))
    }
}

impl UrlForm {
    /// Parses a form. The error has the number of the character at which it occurs, from 1.
    fn parse(text: &str) -> Result<Self, (usize, FormProblem)> {
        let mut form =
            Self { text: text.to_owned(), before: String::new(), word: None, after: String::new(), has_any: false };
        let mut rest = text.strip_prefix('/').ok_or((1, FormProblem::NoSlash))?;
        let number_at = |rest: &str| text.chars().count() - rest.chars().count() + 1;
        let mut start = 2;
        for (index, segment) in rest.split('/').enumerate() {
            let is_last = index == rest.matches('/').count();
            if [".", ".."].contains(&segment) || (segment.is_empty() && !is_last) {
                return Err((start, FormProblem::Segment(segment.to_owned())));
            }
            start += segment.chars().count() + 1;
        }
        while let Some(character) = rest.chars().next() {
            let number = number_at(rest);
            if form.has_any {
                return Err((number, FormProblem::AnyNotLast));
            }
            if let Some(from_name) = rest.strip_prefix(':') {
                let end = from_name.find(|c: char| !c.is_lowercase()).unwrap_or(from_name.len());
                let (name, after) = from_name.split_at(end);
                match WORDS.iter().find(|(word, _)| *word == name) {
                    Some(_) if form.word.is_some() => {
                        return Err((number, FormProblem::SecondWord(name.to_owned())));
                    }
                    Some((_, word)) => form.word = Some(*word),
                    None if name == ANY => form.has_any = true,
                    None => return Err((number, FormProblem::UnknownWord(excerpt(name)))),
                }
                rest = after;
            } else if character.is_alphanumeric() || "+-=._/@".contains(character) {
                let literal = if form.word.is_some() { &mut form.after } else { &mut form.before };
                literal.push(character);
                rest = rest.get(character.len_utf8()..).unwrap_or_default();
            } else {
                return Err((number, FormProblem::Character(character)));
            }
        }
        if form.word.is_none() && !form.has_any {
            return Err((number_at(""), FormProblem::NoWord));
        }
        if url_of([form.before.as_str(), &form.after]).len() > MAX_LITERAL_LENGTH {
            return Err((1, FormProblem::TooLong));
        }
        Ok(form)
    }

    /// Calls `push` with each URL of an object.
    fn for_each_url(
        &self,
        key: &str,
        index: IndexNames<'_>,
        directory_urls: DirectoryUrls,
        mut push: impl FnMut(ViewerUrl),
    ) {
        let mut push = |parts: [&str; 3], kind| {
            let text = url_of(parts);
            // URL encoders write a space as `%20`, form encoders as `+`. No encoder mixes the two in one URL.
            let has_space = parts.iter().any(|part| part.contains(' '));
            let with_plus = has_space.then(|| ViewerUrl { text: text.replace("%20", "+"), kind });
            push(ViewerUrl { text, kind });
            with_plus.into_iter().for_each(&mut push);
        };
        let both = directory_urls == DirectoryUrls::Both;
        let (before, after) = (self.before.as_str(), self.after.as_str());
        let own_kind = |kind| if self.has_any { UrlKind::Prefix } else { kind };
        let Some(word) = self.word else { return push([before, "", ""], own_kind(UrlKind::File)) };
        let key = word.part_of(key);
        let (directory, file) = key.split_at(key.rfind('/').map_or(0, |slash| slash + 1));
        let names = if word.is_page { index.pages } else { index.served };
        let is_index = names.iter().any(|name| name == file);
        let page = file.strip_suffix(PAGE_EXTENSION).filter(|name| word.is_page && !is_index && !name.is_empty());
        let (own, kind) = match page {
            Some(_) => (key.strip_suffix(PAGE_EXTENSION).unwrap_or(key), UrlKind::Page),
            None if word.is_page && is_index => (directory, UrlKind::Page),
            // The root, whose URL all others start with.
            None if key.is_empty() => (key, UrlKind::Page),
            None => (key, UrlKind::File),
        };
        // A directory has its slash already.
        let preceding = if own.is_empty() { before } else { own };
        let has_slash = kind == UrlKind::Page && (preceding.is_empty() || preceding.ends_with('/'));
        let after = after.strip_prefix('/').filter(|_| has_slash).unwrap_or(after);
        push([before, own, after], own_kind(kind));
        if !after.is_empty() {
            if let Some(page) = after.strip_suffix('/').filter(|_| kind == UrlKind::Page && both) {
                push([before, own, page], UrlKind::Page);
            }
            return;
        }
        if !is_index {
            return;
        }
        if !word.is_page {
            push([before, directory, ""], UrlKind::Page);
        }
        let without_slash = match directory.strip_suffix('/') {
            Some(directory) => Some([before, directory, ""]),
            // The directory is the root.
            None => before.strip_suffix('/').map(|before| [before, "", ""]),
        };
        if let Some(parts) = without_slash.filter(|_| both) {
            push(parts, UrlKind::Page);
        }
    }

    fn is_invertible(&self) -> bool {
        self.word == Some(Word { is_rest: false, is_page: false }) && self.after.is_empty() && !self.has_any
    }
}

/// Returns the paths that invalidate an object: sorted, deduplicated, one to four.
///
/// - A space gives two: one with every space as `%20`, and one with every space as `+`.
/// - An index document also gives its directory: `docs/index.html` gives `/docs/` and `/docs/index.html`. The file name
///   is compared in full, so `docs/myindex.html` is not an index document.
///
/// ```
/// use s3_cloudfront_invalidator::change::ObjectKey;
/// use s3_cloudfront_invalidator::path::{OriginPath, viewer_paths};
///
/// let key = ObjectKey::new("my docs/index.html")?;
/// let origin_path = OriginPath::default();
/// let paths = viewer_paths(origin_path.strip(&key).unwrap(), &["index.html".into()]);
/// let paths: Vec<_> = paths.iter().map(|path| path.as_str()).collect();
/// assert_eq!(paths, ["/my%20docs/", "/my%20docs/index.html", "/my+docs/", "/my+docs/index.html"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn viewer_paths(key: RelativeKey<'_>, index_documents: &[String]) -> Vec<InvalidationPath> {
    let mut paths: Vec<_> = viewer_urls(key, index_documents).iter().map(|url| InvalidationPath::of_url(url)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Returns the URLs under which CloudFront may have cached an object, as viewers request them.
///
/// They are what the paths of [`viewer_paths`] must match. Any `~` and final `*` in them are literal.
#[must_use]
pub fn viewer_urls(key: RelativeKey<'_>, index_documents: &[String]) -> Vec<String> {
    let index = IndexNames { served: index_documents, pages: index_documents };
    let forms = UrlForms::default();
    forms.urls(key, index, DirectoryUrls::Slash).into_iter().map(|(url, _)| url.text).collect()
}

/// A text that is not a list of forms.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFormError {
    /// It has no form.
    #[error("there is no form of URLs; write \"/:key\"")]
    Empty,
    /// It has a form that is not one.
    #[error("form {number}, \"{form}\", character {character}: {problem}")]
    Form {
        /// The number of the form, from 1.
        number: usize,
        /// The form.
        form: String,
        /// The number of the character, from 1.
        character: usize,
        /// What is wrong there.
        problem: FormProblem,
    },
}

/// What is wrong with a form of URLs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormProblem {
    /// It does not start with `/`.
    #[error("a form must start with \"/\"")]
    NoSlash,
    /// It contains a segment that no viewer's URL has.
    #[error("viewers request no URL with the segment \"{0}\"; remove it")]
    Segment(String),
    /// It contains a character that no tag value has.
    #[error("{0:?} cannot be in a form; only letters, digits, + - = . _ / @ and words such as \":key\" can")]
    Character(char),
    /// It contains a `:` without a word that is known.
    #[error("\":{0}\" is not a word; the words are :key, :rest, :page, :restpage, and at the end :any")]
    UnknownWord(String),
    /// It contains two words for the key.
    #[error("\":{0}\" is the second word for the key in this form; write two forms, separated by a space")]
    SecondWord(String),
    /// Something follows `:any`.
    #[error("\":any\" is followed by more; it can only end a form")]
    AnyNotLast,
    /// It contains no word.
    #[error("the form has no word; write \":key\" where the key is")]
    NoWord,
    /// It is too long.
    #[error("the form is too long: a path could have more than {MAX_PATH_LENGTH} characters")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::ObjectKey;
    use crate::path::OriginPath;

    fn urls(forms: &str, key: &str, directory_urls: DirectoryUrls) -> Vec<(String, UrlKind)> {
        let names = ["index.html".to_owned()];
        let index = IndexNames { served: &names, pages: &names };
        let key = ObjectKey::new(key).unwrap();
        let urls = UrlForms::parse(forms).unwrap();
        let urls = urls.urls(OriginPath::default().strip(&key).unwrap(), index, directory_urls);
        urls.into_iter().map(|(url, _)| (url.text, url.kind)).collect()
    }

    #[test]
    fn a_word_stands_for_a_part_of_the_key() {
        for (forms, key, expected) in [
            ("/:key", "a/b.html", &["/a/b.html"][..]),
            ("/:key", "a/index.html", &["/a/index.html", "/a/"]),
            ("/:rest", "a/b/c.txt", &["/b/c.txt"]),
            ("/:rest", "c.txt", &["/c.txt"]),
            ("/:rest", "a/", &["/"]),
            ("/:rest", "en/index.html", &["/index.html", "/"]),
            ("/:page", "a/index.html", &["/a/"]),
            ("/:page", "index.html", &["/"]),
            ("/:page", "a/b.html", &["/a/b"]),
            ("/:page", "a/b.htm", &["/a/b.htm"]),
            ("/:page", "a/.html", &["/a/.html"]),
            ("/:page", "b.html.txt", &["/b.html.txt"]),
            ("/:page", "a/myindex.html", &["/a/myindex"]),
            ("/:restpage", "en/about.html", &["/about"]),
            ("/:restpage", "en/index.html", &["/"]),
            ("/:restpage", "about.html", &["/about"]),
            ("/:key /:page", "a.txt", &["/a.txt"]),
            ("/:key /:page", "a.html", &["/a.html", "/a"]),
            ("/assets/:key", "a b+c.txt", &["/assets/a%20b%2Bc.txt", "/assets/a+b%2Bc.txt"]),
            ("/a+\u{e9}/:key", "x", &["/a%2B%C3%A9/x"]),
            ("/x/:key.gz", "a/index.html", &["/x/a/index.html.gz"]),
            ("/v:key", "1/a", &["/v1/a"]),
            ("/:key2", "a", &["/a2"]),
            ("/:page/", "a/index.html", &["/a/"]),
            ("/:page/", "index.html", &["/"]),
            ("/:page/", "a/b.html", &["/a/b/"]),
            ("/:page/amp", "a/index.html", &["/a/amp"]),
            ("/x/:page/", "index.html", &["/x/"]),
            ("/x:page/", "index.html", &["/x/"]),
            ("/:key/", "a/index.html", &["/a/index.html/"]),
            ("/x/:any", "a", &["/x/"]),
            ("/:any", "a", &["/"]),
        ] {
            let found: Vec<_> = urls(forms, key, DirectoryUrls::Slash).into_iter().map(|(text, _)| text).collect();
            assert_eq!(found, expected, "{forms} {key}");
        }
    }

    #[test]
    fn a_directory_is_also_requested_without_its_slash() {
        for (forms, key, expected) in [
            ("/:key", "a/index.html", &["/a/index.html", "/a/", "/a"][..]),
            ("/:key", "index.html", &["/index.html", "/"]),
            ("/:page", "a/index.html", &["/a/", "/a"]),
            ("/:page", "a/b.html", &["/a/b"]),
            ("/x/:page", "index.html", &["/x/", "/x"]),
            ("/:restpage", "en/index.html", &["/"]),
            ("/:page/", "a/b.html", &["/a/b/", "/a/b"]),
            ("/:page/", "a/index.html", &["/a/", "/a"]),
        ] {
            let found: Vec<_> = urls(forms, key, DirectoryUrls::Both).into_iter().map(|(text, _)| text).collect();
            assert_eq!(found, expected, "{forms} {key}");
        }
    }

    #[test]
    fn any_widens_the_url_of_the_word_itself() {
        let url = |text: &str, kind| (text.to_owned(), kind);
        assert_eq!(urls("/:key:any", "a.jpg", DirectoryUrls::Slash), [url("/a.jpg", UrlKind::Prefix)]);
        assert_eq!(
            urls("/:key:any", "a/index.html", DirectoryUrls::Slash),
            [url("/a/index.html", UrlKind::Prefix), url("/a/", UrlKind::Page)]
        );
        assert_eq!(urls("/:page:any", "a/index.html", DirectoryUrls::Slash), [url("/a/", UrlKind::Prefix)]);
        assert_eq!(
            urls("/:key /:key:any", "a", DirectoryUrls::Slash),
            [url("/a", UrlKind::File), url("/a", UrlKind::Prefix)]
        );
    }

    #[test]
    fn each_bad_form_is_named_with_the_character() {
        for (forms, message) in [
            ("", "there is no form of URLs; write \"/:key\""),
            ("  ", "there is no form of URLs; write \"/:key\""),
            (":key", "form 1, \":key\", character 1: a form must start with \"/\""),
            (
                "/:key /a*:key",
                "form 2, \"/a*:key\", character 3: '*' cannot be in a form; only letters, digits, + - = . _ / @ and \
                 words such as \":key\" can",
            ),
            (
                "/\u{e9}/:kex",
                "form 1, \"/\u{e9}/:kex\", character 4: \":kex\" is not a word; the words are :key, :rest, :page, \
                 :restpage, and at the end :any",
            ),
            (
                "/::key",
                "form 1, \"/::key\", character 2: \":\" is not a word; the words are :key, :rest, :page, :restpage, and \
                 at the end :any",
            ),
            (
                "/../:key",
                "form 1, \"/../:key\", character 2: viewers request no URL with the segment \"..\"; remove it",
            ),
            ("/:key/.", "form 1, \"/:key/.\", character 7: viewers request no URL with the segment \".\"; remove it"),
            ("/a//:key", "form 1, \"/a//:key\", character 4: viewers request no URL with the segment \"\"; remove it"),
            (
                "/:key\u{e9}",
                "form 1, \"/:key\u{e9}\", character 2: \":key\u{e9}\" is not a word; the words are :key, :rest, :page, \
                 :restpage, and at the end :any",
            ),
            (
                "/:rest/:key",
                "form 1, \"/:rest/:key\", character 8: \":key\" is the second word for the key in this form; write two \
                 forms, separated by a space",
            ),
            ("/:any/:key", "form 1, \"/:any/:key\", character 6: \":any\" is followed by more; it can only end a form"),
            ("/assets", "form 1, \"/assets\", character 8: the form has no word; write \":key\" where the key is"),
        ] {
            assert_eq!(UrlForms::parse(forms).unwrap_err().to_string(), message, "{forms}");
        }
        let longest = format!("/{}:key", "a".repeat(MAX_LITERAL_LENGTH - 1));
        let forms = UrlForms::parse(&longest).unwrap();
        let key = ObjectKey::new(&format!("{}.html", "\u{e9}".repeat(509))).unwrap();
        let index = IndexNames { served: &[], pages: &[] };
        let urls = forms.urls(OriginPath::default().strip(&key).unwrap(), index, DirectoryUrls::Both);
        for path in urls.into_iter().flat_map(|(url, _)| url.paths(true)) {
            assert!(InvalidationPath::parse(path.as_str()).is_ok(), "{path}");
        }
        let message = UrlForms::parse(&format!("/a{}", longest.get(1..).unwrap())).unwrap_err().to_string();
        assert!(message.ends_with("character 1: the form is too long: a path could have more than 4000 characters"));
    }

    #[test]
    fn only_the_whole_key_behind_a_literal_can_be_found_from_a_url() {
        let below = |forms: &str, prefix: &str| {
            let found = std::cell::RefCell::new(Vec::new());
            let is_known = UrlForms::parse(forms).unwrap().all_keys_below(prefix, |key_prefix| {
                found.borrow_mut().push(key_prefix.to_owned());
                true
            });
            is_known.then(|| found.into_inner())
        };
        for (forms, prefix, expected) in [
            ("/:key", "/", Some(vec![""])),
            ("/:key", "/a%20b+c%2Bd/", Some(vec!["a b c+d/"])),
            ("/assets/:key", "/assets/img/", Some(vec!["img/"])),
            ("/assets/:key", "/ass", Some(vec![""])),
            ("/assets/:key", "/img/", Some(vec![])),
            ("/:key /assets/:key", "/assets/x", Some(vec!["assets/x", "x"])),
            ("/:key", "/%FF", None),
            ("/:key /:rest", "/a/", None),
            ("/:rest", "/a/", None),
            ("/:page", "/a/", None),
            ("/:key:any", "/a/", None),
            ("/:key.gz", "/a/", None),
            ("/:any", "/a/", None),
        ] {
            let expected = expected.map(|it| it.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(below(forms, prefix), expected, "{forms} {prefix}");
            let are_invertible = UrlForms::parse(forms).unwrap().are_invertible();
            assert_eq!(are_invertible, expected.is_some() || prefix == "/%FF", "{forms}");
        }
        assert!(!UrlForms::default().all_keys_below("/a", |_| false));
        assert_eq!(UrlForms::parse("/:key").unwrap(), UrlForms::default());
    }
}

#[cfg(test)]
mod path_tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::change::ObjectKey;
    use crate::path::OriginPath;

    fn paths(key: &str, directory_urls: DirectoryUrls, query_strings: bool) -> Vec<String> {
        paths_in("/:key", key, directory_urls, query_strings)
    }

    fn paths_in(forms: &str, key: &str, directory_urls: DirectoryUrls, query_strings: bool) -> Vec<String> {
        let names = ["index.html".to_owned()];
        let (key, forms) = (ObjectKey::new(key).unwrap(), UrlForms::parse(forms).unwrap());
        let index = IndexNames { served: &names, pages: &names };
        let urls = forms.urls(OriginPath::default().strip(&key).unwrap(), index, directory_urls);
        let paths: BTreeSet<_> = urls.into_iter().flat_map(|(url, _)| url.paths(query_strings)).collect();
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_directory_can_be_requested_without_its_slash() {
        assert_eq!(
            paths("a b/index.html", DirectoryUrls::Both, false),
            ["/a%20b", "/a%20b/", "/a%20b/index.html", "/a+b", "/a+b/", "/a+b/index.html"]
        );
        assert_eq!(paths("index.html", DirectoryUrls::Both, false), ["/", "/index.html"]);
        assert_eq!(paths("a/b.txt", DirectoryUrls::Both, false), ["/a/b.txt"]);
    }

    #[test]
    fn query_strings_of_a_directory_do_not_cover_its_content() {
        assert_eq!(paths("a.jpg", DirectoryUrls::Slash, true), ["/a.jpg*"]);
        assert_eq!(paths("a/index.html", DirectoryUrls::Slash, true), ["/a/", "/a/?*", "/a/index.html*"]);
        assert_eq!(paths("a/index.html", DirectoryUrls::Both, true), ["/a", "/a/", "/a/?*", "/a/index.html*", "/a?*"]);
        assert_eq!(paths("index.html", DirectoryUrls::Slash, true), ["/", "/?*", "/index.html*"]);
        for already_a_wildcard in ["a~b.txt", "a*"] {
            assert_eq!(paths(already_a_wildcard, DirectoryUrls::Slash, true), ["/a*"]);
        }
        assert_eq!(paths("~a/index.html", DirectoryUrls::Both, true), ["/*"]);
    }

    #[test]
    fn query_strings_of_a_page_do_not_cover_other_pages() {
        let paths = |forms, key| paths_in(forms, key, DirectoryUrls::Slash, true);
        assert_eq!(paths("/:page", "a.html"), ["/a", "/a?*"]);
        assert_eq!(paths("/:page", "a/index.html"), ["/a/", "/a/?*"]);
        assert_eq!(paths("/:page", "a.css"), ["/a.css*"]);
        assert_eq!(paths("/:page:any", "a.html"), ["/a*"]);
        assert_eq!(paths("/:key:any", "a b~c"), ["/a%20b*", "/a+b*"]);
        assert_eq!(paths_in("/:key:any", "a.jpg", DirectoryUrls::Slash, false), ["/a.jpg*"]);
    }
}
