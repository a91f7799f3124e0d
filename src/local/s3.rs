//! S3, as far as the function asks: the tags of a bucket.

use quick_xml::escape::escape;

use super::asked::{Answer, Asked};
use super::cloud::World;

/// `GetBucketTagging`. Source: S3 API reference.
pub(super) fn get_bucket_tagging(world: &World, asked: &Asked) -> Answer {
    let Some(bucket) = world.buckets.get(&asked.target) else {
        return error(404, "NoSuchBucket", "The specified bucket does not exist");
    };
    if bucket.region != asked.region {
        let message = "The bucket you are attempting to access must be addressed using the specified endpoint.";
        let mut answer = error(301, "PermanentRedirect", message);
        answer.headers.push(("x-amz-bucket-region", bucket.region.clone()));
        return answer;
    }
    let expected_owner = asked.headers.get("x-amz-expected-bucket-owner");
    if expected_owner.is_some_and(|owner| owner.as_bytes() != bucket.owner.as_bytes()) {
        return error(403, "AccessDenied", "Access Denied");
    }
    if bucket.tags.is_empty() {
        return error(404, "NoSuchTagSet", "The TagSet does not exist");
    }
    let tags: Vec<_> = bucket
        .tags
        .iter()
        .map(|(key, value)| format!("<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value)))
        .collect();
    let tags = tags.concat();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}\
         </TagSet></Tagging>"
    );
    Answer { status: 200, code: None, headers: Vec::new(), body }
}

/// An error as S3 writes it.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message><RequestId>LOCALREQUEST</RequestId>\
         <HostId>local</HostId></Error>",
        escape(code),
        escape(message)
    );
    Answer { status, code: Some(code.to_owned()), headers: Vec::new(), body }
}
