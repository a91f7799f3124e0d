//! `ListObjectsV2` of the fake AWS, page by page through the SDK, compared with a model that checks every key.

use std::collections::{BTreeSet, HashSet};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;
use s3_cloudfront_invalidator::local::{FakeAws, FakeBucket, State};

use crate::fake_aws::sdk::{calls, s3};

/// The content of a listing, in order: keys, and common prefixes that end in the delimiter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Listed {
    keys: Vec<String>,
    prefixes: Vec<String>,
}

/// The parameters of a listing.
#[derive(Clone, Debug, Default)]
struct ListQuery {
    prefix: &'static str,
    start_after: &'static str,
    delimiter: &'static str,
    max_keys: Option<i32>,
    plain: bool,
}

impl ListQuery {
    /// The complete listing by its definition.
    fn model(&self, keys: &BTreeSet<String>) -> Listed {
        let mut listed = Listed::default();
        for key in keys.iter().filter(|key| key.as_str() > self.start_after) {
            let Some(rest) = key.strip_prefix(self.prefix) else { continue };
            match rest.split_once(self.delimiter).filter(|_| !self.delimiter.is_empty()) {
                None => listed.keys.push(key.clone()),
                Some((folder, _)) => {
                    let prefix = [self.prefix, folder, self.delimiter].concat();
                    if !listed.prefixes.contains(&prefix) {
                        listed.prefixes.push(prefix);
                    }
                }
            }
        }
        listed
    }

    async fn page(&self, client: &Client, token: Option<String>) -> Result<ListObjectsV2Output, (u16, String, String)> {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let call = client.list_objects_v2().bucket("site").set_prefix(given(self.prefix));
        let call = call.set_start_after(given(self.start_after)).set_delimiter(given(self.delimiter));
        let call = call.set_max_keys(self.max_keys).set_continuation_token(token);
        let call = call.set_encoding_type(Some(EncodingType::Url).filter(|_| !self.plain));
        call.send().await.map_err(|error| {
            let status = error.raw_response().map(|response| response.status().as_u16()).unwrap_or_default();
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            (status, text(error.code()), text(error.message()))
        })
    }

    /// Reads and checks all pages. Returns their content together, and their number.
    async fn all(&self, client: &Client) -> (Listed, usize) {
        let (mut listed, mut pages, mut token, mut tokens) = (Listed::default(), 0, None, HashSet::new());
        let most = usize::try_from(self.max_keys.unwrap_or(1000)).unwrap().min(1000);
        loop {
            let page = self.page(client, token.clone()).await.unwrap();
            pages += 1;
            let read = |text: Option<&str>| if self.plain { text.unwrap().to_owned() } else { decode(text.unwrap()) };
            listed.keys.extend(page.contents().iter().map(|object| read(object.key())));
            listed.prefixes.extend(page.common_prefixes().iter().map(|common| read(common.prefix())));
            let entries = page.contents().len() + page.common_prefixes().len();
            assert_eq!(page.key_count().map(usize::try_from), Some(Ok(entries)));
            assert_eq!(page.max_keys().map(usize::try_from), Some(Ok(most)));
            assert_eq!(page.encoding_type(), Some(&EncodingType::Url).filter(|_| !self.plain));
            assert_eq!((page.name(), page.continuation_token()), (Some("site"), token.as_deref()));
            assert_eq!(read(page.prefix()), self.prefix);
            assert_eq!(page.start_after().map(|it| read(Some(it))).unwrap_or_default(), self.start_after);
            assert_eq!(page.delimiter().map(|it| read(Some(it))).unwrap_or_default(), self.delimiter);
            assert_eq!(page.is_truncated(), Some(page.next_continuation_token().is_some()));
            token = page.next_continuation_token().map(str::to_owned);
            let Some(token) = &token else { return (listed, pages) };
            assert_eq!(entries, most, "only the last page has fewer");
            assert!(tokens.insert(token.clone()), "{token} again");
        }
    }
}

/// Decodes a key that `encoding-type=url` encoded: form-encoded, except for the slash.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                assert!(!digits.iter().any(u8::is_ascii_lowercase), "{text}");
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            raw => {
                assert!(raw.is_ascii_alphanumeric() || b"*-._/".contains(&raw), "{text}");
                bytes.push(raw);
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn aws(keys: &BTreeSet<String>) -> FakeAws {
    let mut state = State::default();
    state.buckets.insert("site".into(), FakeBucket { objects: keys.clone(), ..FakeBucket::tagged(&[]) });
    FakeAws::start(state).await.unwrap()
}

/// 2,345 keys that are hard to sort, to encode, or to split.
fn odd_keys() -> BTreeSet<String> {
    let parts = [
        "a",
        "a/",
        "a//",
        "/",
        "//",
        " ",
        "+",
        "%2F",
        "%",
        "&amp;",
        "<k>",
        "\"'",
        "é",
        "e\u{301}",
        "日本",
        "\u{ffff}",
        "\u{d7ff}",
        "\u{e000}",
        "\u{10ffff}",
        "🦀",
        "\u{1}",
        "\u{7f}",
        "\r\n",
        "\t",
        "?x=1&y",
        "#",
        "~",
        "*",
        ".",
        "-",
    ];
    let mut keys = BTreeSet::new();
    for number in 0.. {
        let parts = [parts[number % 30], parts[number / 30 % 30], parts[number / 900 % 30]].concat();
        keys.insert(parts.repeat(1 + number % 3));
        if keys.len() == 2345 {
            break;
        }
    }
    keys
}

#[tokio::test]
async fn odd_keys_are_listed_as_the_model_has_them() {
    let keys = odd_keys();
    let aws = aws(&keys).await;
    let client = s3(&aws);
    let (all, pages) = ListQuery::default().all(&client).await;
    assert_eq!((all.keys.len(), pages), (2345, 3));
    assert_eq!(all.keys, keys.iter().cloned().collect::<Vec<_>>(), "in the order of their bytes");
    let mut listings = 0;
    for prefix in ["", "a", "a/", "/", "é", "\u{d7ff}", "\u{10ffff}", " ", "+", "%", "none", "\u{1}"] {
        for start_after in ["", "a/", "a//", "é", "é/b", "\u{10ffff}a", "zzz", "\u{10ffff}\u{10ffff}\u{10ffff}"] {
            for (delimiter, max_keys) in [
                ("", None),
                ("/", None),
                ("/", Some(7)),
                ("//", Some(50)),
                ("é", Some(2000)),
                ("\u{10ffff}", Some(100)),
            ] {
                let query = ListQuery { prefix, start_after, delimiter, max_keys, plain: false };
                let expected = query.model(&keys);
                let (listed, pages) = query.all(&client).await;
                assert_eq!(listed, expected, "{query:?}");
                let entries = listed.keys.len() + listed.prefixes.len();
                let most = usize::try_from(max_keys.unwrap_or(1000)).unwrap().min(1000);
                assert_eq!(pages, entries.div_ceil(most).max(1), "{query:?}");
                listings += usize::from(entries > 0);
            }
        }
    }
    assert!(listings > 200, "{listings}");
}

#[tokio::test]
async fn a_page_holds_a_thousand_and_says_whether_there_are_more() {
    let keys: BTreeSet<_> = (0..1000).map(|n| format!("k{n}")).collect();
    let aws = aws(&keys).await;
    let client = s3(&aws);
    assert_eq!(ListQuery { max_keys: Some(5000), ..ListQuery::default() }.all(&client).await.1, 1, "all in one");
    assert_eq!(ListQuery { max_keys: Some(999), ..ListQuery::default() }.all(&client).await.1, 2);
    aws.with(|state| state.buckets.get_mut("site").unwrap().objects.insert("k1000".into()));
    assert_eq!(ListQuery::default().all(&client).await.1, 2);
    let none = ListQuery { max_keys: Some(0), ..ListQuery::default() }.page(&client, None).await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated(), none.next_continuation_token()), (Some(0), Some(false), None));
}

#[tokio::test]
async fn a_token_overrides_start_after_and_survives_changes() {
    let aws = aws(&["a/1", "a/2", "b", "c/1", "d"].map(str::to_owned).into()).await;
    let client = s3(&aws);
    let query = ListQuery { delimiter: "/", max_keys: Some(1), ..ListQuery::default() };
    let token = query.page(&client, None).await.unwrap().next_continuation_token().unwrap().to_owned();
    aws.with(|state| {
        let objects = &mut state.buckets.get_mut("site").unwrap().objects;
        objects.retain(|key| !key.starts_with("a/") && key != "b");
        objects.insert("a/3".into());
    });
    let page = ListQuery { start_after: "c/2", ..query.clone() }.page(&client, Some(token)).await.unwrap();
    assert_eq!(page.common_prefixes()[0].prefix(), Some("c/"));
    for token in ["a", ""] {
        let (status, code, message) = query.page(&client, Some(token.to_owned())).await.unwrap_err();
        assert_eq!((status, code.as_str()), (400, "InvalidArgument"), "{message}");
    }
}

#[tokio::test]
async fn without_url_encoding_a_key_that_xml_cannot_contain_is_refused_by_name() {
    let keys = [" a ", "\r\nb&<", "\t", "c\u{1}\u{fffe}", "é🦀+%20"].map(str::to_owned);
    let aws = aws(&keys.clone().into()).await;
    let client = s3(&aws);
    let plain = ListQuery { plain: true, ..ListQuery::default() };
    let (status, code, message) = plain.page(&client, None).await.unwrap_err();
    assert_eq!((status, code.as_str()), (400, "InvalidArgument"));
    assert!(message.contains(r#""c\u{1}\u{fffe}""#), "{message}");
    let first = ListQuery { max_keys: Some(2), ..plain.clone() }.page(&client, None).await.unwrap();
    assert_eq!(first.contents().len(), 2, "it is not on this page");
    aws.with(|state| state.buckets.get_mut("site").unwrap().objects.retain(|key| !key.contains('\u{1}')));
    assert_eq!(
        plain.all(&client).await.0,
        plain.model(&keys.into_iter().filter(|key| !key.contains('\u{1}')).collect())
    );
}

#[tokio::test]
async fn a_listing_needs_its_bucket_region_owner_and_arguments() {
    let aws = aws(&BTreeSet::new()).await;
    let call = || s3(&aws).list_objects_v2();
    let missing = call().bucket("other").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("NoSuchBucket"));
    let owner = call().bucket("site").expected_bucket_owner("210987654321").send().await.unwrap_err();
    assert_eq!(owner.code(), Some("AccessDenied"));
    let encoding = call().bucket("site").encoding_type(EncodingType::from("base64")).send().await.unwrap_err();
    assert_eq!(encoding.code(), Some("InvalidArgument"));
    let negative = call().bucket("site").max_keys(-1).send().await.unwrap_err();
    assert_eq!(negative.code(), Some("InvalidArgument"));
    aws.with(|state| state.buckets.get_mut("site").unwrap().region = "us-west-2".into());
    let region = call().bucket("site").send().await.unwrap_err();
    assert_eq!(region.raw_response().unwrap().status().as_u16(), 301);
    assert_eq!(region.raw_response().unwrap().headers().get("x-amz-bucket-region"), Some("us-west-2"));
    let statuses: Vec<_> = calls(&aws, "ListObjectsV2").into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [404, 403, 400, 400, 301]);
}
