//! A random multi-tenant distribution and its tenants.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};

/// The folder that is the default value of the parameter `folder`: the first one of the keys with a prefix.
const DEFAULT_FOLDER: &str = "web";

/// The start of all buckets' names, which is the value of the parameter `prefix` in every tenant.
const BUCKET_PREFIX: &str = "bucket-";

/// A multi-tenant distribution. Its own ID is in no tag, unless by mistake.
pub(crate) struct MultiTenant {
    pub(crate) id: String,
    /// The tenants' values of the parameters.
    pub(crate) tenants: BTreeMap<String, BTreeMap<String, String>>,
}

impl MultiTenant {
    /// Tenants whose folders are equivalent to the buckets' tags, if `same_as_tags`.
    pub(crate) fn random(rng: &mut Rng, seed: u64, same_as_tags: bool) -> Self {
        let tenants = (0..rng.usize(1..=3)).map(|number| {
            let mut parameters = BTreeMap::from([("prefix".to_owned(), BUCKET_PREFIX.to_owned())]);
            let folder = match rng.u8(0..3) {
                // The default value applies.
                0 => None,
                1 if !same_as_tags => Some("other"),
                _ => Some(DEFAULT_FOLDER),
            };
            parameters.extend(folder.map(|folder| ("folder".to_owned(), folder.to_owned())));
            (format!("dt_{seed}T{number}"), parameters)
        });
        Self { id: format!("E{seed}M"), tenants: tenants.collect() }
    }

    /// The distribution's config with parameters, made from one without, and the config of each tenant.
    pub(crate) fn configs(&self, rng: &mut Rng, mut config: Value) -> BTreeMap<String, Value> {
        for origin in config["Origins"]["Items"].as_array_mut().into_iter().flatten() {
            let path = origin["OriginPath"].as_str().unwrap_or_default();
            origin["OriginPath"] = path.replace(DEFAULT_FOLDER, "{{folder}}").into();
            if rng.bool() {
                let domain = origin["DomainName"].as_str().unwrap_or_default();
                origin["DomainName"] = domain.replace(BUCKET_PREFIX, "{{prefix}}").into();
            }
        }
        let text = config.to_string();
        let of_tenant = |(id, parameters): (&String, &BTreeMap<String, String>)| {
            let value = |name: &str| parameters.get(name).map_or(DEFAULT_FOLDER, String::as_str);
            let text = text.replace("{{folder}}", value("folder")).replace("{{prefix}}", value("prefix"));
            (id.clone(), serde_json::from_str(&text).unwrap_or_default())
        };
        let mut configs: BTreeMap<_, _> = self.tenants.iter().map(of_tenant).collect();
        let folder = json!({ "StringSchema": { "Required": false, "DefaultValue": DEFAULT_FOLDER } });
        config["TenantConfig"] = json!({ "ParameterDefinitions": [
            { "Name": "folder", "Definition": folder },
            { "Name": "prefix", "Definition": { "StringSchema": { "Required": true } } },
        ] });
        config["ConnectionMode"] = "tenant-only".into();
        configs.insert(self.id.clone(), config);
        configs
    }
}
