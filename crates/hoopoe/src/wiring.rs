//! Builds the parts from the settings and wires them to each other: store below, engine and API above. It decides which
//! backend stands behind the traits and nothing else.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::{Api, Front};
use catalogue::Catalogue;
use console::{Brand, Logo, Stage};
use delivery::Engine;
use domain::secret::SecretText;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use store::Store;
use store::vault::MasterKey;

use crate::backend::Backend;
use crate::config::{BrandSettings, Config, Mode};
use crate::engine_seam::EngineSeam;
use crate::first_key::{self, FirstKey};
use crate::key_rotation::{KeyRotation, Source};
use crate::master_key::{self, Data, Keys};
use crate::server::Parts;
use crate::telemetry::metrics::{self, Metrics};

const STORE_FILE: &str = "hoopoe.db";

/// A server's parts, wired and running, without a listener.
#[derive(Debug)]
pub(crate) struct Wired {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: Engine,
    pub(crate) api: Arc<Api>,
    pub(crate) first_key: Option<FirstKey>,
    pub(crate) metrics: Metrics,
    brand: Brand,
}

pub(crate) async fn wire(config: &Config, parts: Parts) -> anyhow::Result<Wired> {
    let now = parts.clock.now();
    let brand = brand(config)?;
    let (source, keys) = master_keys(config)?;
    let cursor_key = cursor_key(&keys.present);
    let backend = Backend::open(config, &parts, keys.vault(), now).await?;
    let store = backend.store();
    let rotation = KeyRotation::new(store.clone(), source, keys);
    rotation.finish_what_was_begun().await;
    let first_key = first_key::make(&*store, config.platform_key.as_ref(), &parts.ids, now).await?;
    let settings = engine_settings(config, parts.jitter_seed)?;
    let engine = Engine::start(store.clone(), parts.clock.clone(), parts.ids.clone(), settings)
        .context("the delivery engine cannot start")?;
    let api = Api::new(api::Parts {
        settings: api::Settings { node: node()?, started_at: now, ..api_settings(config, cursor_key) },
        store: store.clone(),
        engine: Arc::new(EngineSeam(engine.clone())),
        master_keys: Arc::new(rotation),
        catalogue: Arc::new(Catalogue::builtin()),
        clock: parts.clock,
        ids: parts.ids,
    });
    let metrics = Metrics { api: api.counters(), engine: engine.clone(), backend, started_at: now };
    Ok(Wired { store, engine, api, first_key, metrics, brand })
}

impl Wired {
    /// What the main address serves.
    pub(crate) fn front(&self, config: &Config) -> Front {
        let router = api::router(Arc::clone(&self.api), console::router(self.brand.clone()));
        let router = match config.metrics_listen {
            Some(_) => router,
            None => metrics::router(self.metrics.clone()).merge(router),
        };
        Front::new(Arc::clone(&self.api), router)
    }
}

fn brand(config: &Config) -> anyhow::Result<Brand> {
    let BrandSettings { name, logo, color, parents } = config.brand.clone();
    let logo = logo.as_deref().map(logo_of).transpose()?;
    let stage = if config.mode == Mode::Dev { Stage::Dev } else { Stage::Production };
    let name = name.unwrap_or_default();
    Ok(Brand { name, logo, accent: color, parents, stage })
}

fn logo_of(path: &Path) -> anyhow::Result<Logo> {
    let advice =
        || format!("cannot use {} as the logo; name another picture with --brand-logo", path.display());
    Logo::new(std::fs::read(path).with_context(advice)?).with_context(advice)
}

fn master_keys(config: &Config) -> anyhow::Result<(Source, Keys)> {
    if config.database_url.is_none() {
        create_data_dir(&config.data_dir)?;
    }
    if let Some(present) = config.master_key.clone() {
        return Ok((Source::Environment, Keys { present, previous: config.master_key_previous.clone() }));
    }
    let present = config.data_dir.join(STORE_FILE).exists();
    let keys = master_key::from_file(&config.data_dir, if present { Data::Present } else { Data::Absent })?;
    Ok((Source::File(config.data_dir.join(master_key::FILE_NAME)), keys))
}

/// Readable for its owner alone: payloads are other people's data.
fn create_data_dir(path: &Path) -> anyhow::Result<()> {
    let advice = || {
        format!("cannot use {} as the data directory; choose a writable one with --data-dir", path.display())
    };
    ensure!(!path.exists() || path.is_dir(), "{}: it is not a directory", advice());
    let mut builder = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
    builder.create(path).with_context(advice)
}

fn engine_settings(config: &Config, jitter_seed: u64) -> anyhow::Result<delivery::Settings> {
    let user_agent = concat!("Hoopoe/", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(delivery::Settings {
        retry_waits_s: config.retry_waits_s.clone(),
        address_policy: config.address_policy(),
        url_policy: config.url_policy(),
        extra_root_certificates: extra_roots(config.ca_certificates.as_deref())?,
        retention_days: config.retention_days,
        audit_retention_days: config.audit_retention_days,
        ..delivery::Settings::new(user_agent, jitter_seed)
    })
}

fn extra_roots(path: Option<&Path>) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let advice = || {
        format!("cannot use {} as CA certificates; name a PEM file with --ca-certificates", path.display())
    };
    let certificates = CertificateDer::pem_file_iter(path).with_context(advice)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().with_context(advice)?;
    ensure!(!certificates.is_empty(), "{}: it holds no certificate", advice());
    Ok(certificates)
}

fn api_settings(config: &Config, cursor_key: [u8; 32]) -> api::Settings {
    api::Settings {
        platform_key: config.platform_key.as_ref().map(|key| SecretText::new(key.expose().to_owned())),
        validate: config.validate.into(),
        endpoints_per_owner: config.endpoints_per_owner,
        public_url: config.public_url.clone(),
        frame_ancestors: (!config.brand.parents.is_empty()).then(|| config.brand.parents.frame_ancestors()),
        failed_sign_ins: config.failed_sign_ins,
        url_policy: config.url_policy(),
        address_policy: config.address_policy(),
        retention_days: config.retention_days,
        publish_per_second_per_key: config.publish_per_second_per_key,
        publish_per_second_per_location: config.publish_per_second_per_location,
        ..api::Settings::new(cursor_key)
    }
}

/// By which others tell this process from the one before it.
fn node() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).context("the system gives no randomness")?;
    Ok(u64::from_le_bytes(bytes))
}

/// Cursors outlive a restart, so their key hangs on the one that does too. One-way: a cursor's key tells nothing of it. After
/// a rotation of the master key it stays what it was until the next start; the cursors issued before that are then refused.
fn cursor_key(master_key: &MasterKey) -> [u8; 32] {
    Sha256::new().chain_update(b"hoopoe/cursor-key/1").chain_update(master_key.expose()).finalize().into()
}
