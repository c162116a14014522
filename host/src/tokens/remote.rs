//! The external Storage API, as a client of its token calls.
//!
//! What a token is is asked for at most once per cache time, so that a token which is revoked there is refused here
//! within it. The cache is bounded, and known by keyed hashes of the secrets only. An answer that does not come in time is
//! told as such: the caller may come again.

use crate::domain::ids::TokenId;
use crate::domain::time::Timestamp;
use crate::domain::token::{BucketPermission, Rights};
use reqwest::{Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const TOKENS: &str = "/v2/storage/tokens";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Of a whole call.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most tokens that are remembered.
const MOST_CACHED: usize = 10_000;
/// How long it is remembered at most that a secret is no token's: it may become one's.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// Largest answer that is read.
const MOST_BYTES: usize = 1 << 20;

/// Where tokens are kept instead of here.
#[derive(Clone)]
pub struct RemoteSettings {
    /// https, without a trailing slash.
    pub url: String,
    /// Authorities to trust beside the public ones.
    pub extra_ca_pem: Option<Vec<u8>>,
    pub cache_for: Duration,
}

impl fmt::Debug for RemoteSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteSettings")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// Why the Storage API did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Another attempt may help.
    #[error("the Storage API does not answer: {0}")]
    Unavailable(String),
    /// It answered, and will answer the same again.
    #[error("The Storage API refused: {0}")]
    Refused(String),
    #[error("the client of the Storage API cannot be made: {0}")]
    Client(String),
}

/// What the Storage API says of a token.
#[derive(Clone, Debug)]
pub(super) struct RemoteToken {
    pub(super) id: TokenId,
    pub(super) description: String,
    pub(super) rights: Rights,
    pub(super) owner: String,
    pub(super) owner_name: String,
    pub(super) is_usable: bool,
}

type Cache = HashMap<Vec<u8>, (Timestamp, Option<Arc<RemoteToken>>)>;

pub(super) struct Remote {
    http: reqwest::Client,
    pub(super) url: String,
    cache_for: Duration,
    cache: Mutex<Cache>,
}

impl Remote {
    pub(super) fn new(settings: RemoteSettings) -> Result<Self, RemoteError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(settings.extra_ca_pem.as_deref())?)
            .https_only(true)
            .no_proxy()
            // A token goes to the Storage API and to nobody that it names.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("Orchestrator/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| RemoteError::Client(error.to_string()))?;
        Ok(Self {
            http,
            url: settings.url,
            cache_for: settings.cache_for,
            cache: Mutex::default(),
        })
    }

    /// The token of that secret, as it was within the cache time; `None` where it is none that may be used.
    pub(super) async fn verify(
        &self,
        lookup: Vec<u8>,
        secret: &str,
        now: Timestamp,
    ) -> Result<Option<Arc<RemoteToken>>, RemoteError> {
        if let Some(known) = self.recall(&lookup, now) {
            return Ok(known);
        }
        let answer = self.verify_answer(secret).await?;
        let token = answer.as_ref().map(read_token).transpose()?;
        let token = token.filter(|token| token.is_usable).map(Arc::new);
        self.remember(lookup, token.clone(), now);
        Ok(token.filter(|token| !token.rights.is_expired(now)))
    }

    /// The same as it is now, as the Storage API prints it.
    pub(super) async fn verify_answer(&self, secret: &str) -> Result<Option<Value>, RemoteError> {
        let (status, answer) = self
            .call(Method::GET, &format!("{TOKENS}/verify"), secret, None)
            .await?;
        match status {
            status if status.is_success() => Ok(Some(answer)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Ok(None),
            status => Err(RemoteError::Unavailable(format!("it answered {status}"))),
        }
    }

    /// Makes a token for an orchestration on behalf of the bearer of `secret`; returns it with its value.
    pub(super) async fn create(
        &self,
        secret: &str,
        description: &str,
        component_access: &[String],
    ) -> Result<(TokenId, String), RemoteError> {
        let mut body = json!({
            "description": description,
            "canManageBuckets": true,
            "canReadAllFileUploads": true,
        });
        if let (false, Some(body)) = (component_access.is_empty(), body.as_object_mut()) {
            body.insert("componentAccess".into(), json!(component_access));
        }
        let answer = self
            .call(Method::POST, TOKENS, secret, Some(body))
            .await
            .and_then(accepted)?;
        Ok((read_id(&answer)?, read_secret(&answer)?))
    }

    /// Gives a token a new value; returns that.
    pub(super) async fn refresh(&self, secret: &str, id: TokenId) -> Result<String, RemoteError> {
        let path = format!("{TOKENS}/{id}/refresh");
        let answer = self
            .call(Method::POST, &path, secret, Some(json!({})))
            .await
            .and_then(accepted)?;
        self.forget(id);
        read_secret(&answer)
    }

    pub(super) async fn delete(&self, secret: &str, id: TokenId) -> Result<(), RemoteError> {
        let path = format!("{TOKENS}/{id}");
        self.forget(id);
        self.call(Method::DELETE, &path, secret, None)
            .await
            .and_then(accepted)
            .map(drop)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        secret: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), RemoteError> {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let mut request = request.header("X-StorageApi-Token", secret);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let unavailable = |error: reqwest::Error| {
            let error = error.without_url();
            RemoteError::Unavailable(error.to_string())
        };
        let mut response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(RemoteError::Unavailable(format!("it answered {status}")));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_BYTES {
                let why = format!("its answer has more than {MOST_BYTES} bytes");
                return Err(RemoteError::Unavailable(why));
            }
        }
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    fn recall(&self, lookup: &[u8], now: Timestamp) -> Option<Option<Arc<RemoteToken>>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, token) = cache.get(lookup)?;
        let is_valid = now < *until;
        let token = token.clone();
        is_valid.then(|| token.filter(|token| !token.rights.is_expired(now)))
    }

    fn remember(&self, lookup: Vec<u8>, token: Option<Arc<RemoteToken>>, now: Timestamp) {
        let life = match token {
            Some(_) => self.cache_for,
            None => self.cache_for.min(UNKNOWN_FOR),
        };
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= MOST_CACHED {
            cache.retain(|_, (until, _)| now < *until);
        }
        if cache.len() >= MOST_CACHED {
            cache.clear();
        }
        cache.insert(lookup, (now.plus(life), token));
    }

    /// Its old value is none from now on.
    fn forget(&self, id: TokenId) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, (_, token)| token.as_ref().is_none_or(|token| token.id != id));
    }
}

fn accepted((status, answer): (StatusCode, Value)) -> Result<Value, RemoteError> {
    if status.is_success() {
        return Ok(answer);
    }
    let told = ["message", "error"]
        .iter()
        .find_map(|key| answer.get(key)?.as_str());
    let told: String = told.unwrap_or_default().chars().take(200).collect();
    Err(RemoteError::Refused(format!("{status} {told}")))
}

fn tls(extra_ca_pem: Option<&[u8]>) -> Result<ClientConfig, RemoteError> {
    let wrong = |error: &dyn fmt::Display| RemoteError::Client(error.to_string());
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for certificate in CertificateDer::pem_slice_iter(extra_ca_pem.unwrap_or_default()) {
        let certificate = certificate.map_err(|error| wrong(&error))?;
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// Ids are texts there, and numbers in some answers.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn strange(what: &str) -> RemoteError {
    RemoteError::Unavailable(format!("its answer has no {what}"))
}

fn read_id(answer: &Value) -> Result<TokenId, RemoteError> {
    let id = answer.get("id").and_then(text_of);
    let id = id.and_then(|id| TokenId::from_text(&id));
    id.ok_or_else(|| strange("id of a token"))
}

fn read_secret(answer: &Value) -> Result<String, RemoteError> {
    let secret = answer.get("token").and_then(Value::as_str);
    let secret = secret.filter(|secret| super::is_secret(secret));
    secret.map(str::to_owned).ok_or_else(|| strange("token"))
}

fn read_token(answer: &Value) -> Result<RemoteToken, RemoteError> {
    let flag = |key: &str| answer.get(key) == Some(&Value::Bool(true));
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let owner = answer.get("owner").unwrap_or(&Value::Null);
    let expires = text("expires").map(|time| {
        chrono::DateTime::parse_from_rfc3339(time)
            .or_else(|_| chrono::DateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%z"))
            .map(|time| Timestamp::from_datetime(time.to_utc()))
            .map_err(|_| strange("expiry that can be read"))
    });
    let access = answer.get("componentAccess").and_then(Value::as_array);
    let names = access.into_iter().flatten().filter_map(Value::as_str);
    let buckets = answer.get("bucketPermissions").and_then(Value::as_object);
    let buckets = buckets.into_iter().flatten().filter_map(|(name, right)| {
        let right = BucketPermission::from_text(right.as_str()?)?;
        Some((name.clone(), right))
    });
    Ok(RemoteToken {
        id: read_id(answer)?,
        description: text("description").unwrap_or_default().to_owned(),
        rights: Rights {
            is_master: flag("isMasterToken"),
            can_manage_buckets: flag("canManageBuckets"),
            can_manage_tokens: flag("canManageTokens"),
            can_read_all_file_uploads: flag("canReadAllFileUploads"),
            can_purge_trash: flag("canPurgeTrash"),
            component_access: names.map(str::to_owned).collect(),
            bucket_permissions: buckets.collect(),
            expires_at: expires.transpose()?,
        },
        owner: owner
            .get("id")
            .and_then(text_of)
            .ok_or_else(|| strange("owner"))?,
        owner_name: owner
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned(),
        is_usable: !flag("isDisabled") && !flag("isExpired"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_the_storage_api_prints_it() {
        let answer = json!({
            "id": "1234", "description": "ci", "isMasterToken": false, "canManageTokens": true,
            "canManageBuckets": true, "expires": "2026-01-05T13:00:00+0100", "isExpired": false, "isDisabled": false,
            "bucketPermissions": {"in.c-main": "write", "x": "odd"}, "componentAccess": ["a"],
            "owner": {"id": 42, "name": "Acme"},
        });
        let token = read_token(&answer).unwrap();
        assert_eq!((token.id, token.owner.as_str()), (TokenId(1234), "42"));
        assert!(token.is_usable && token.rights.can_manage_tokens && !token.rights.is_master);
        assert_eq!(
            token.rights.expires_at,
            Some(Timestamp(1_767_614_400_000_000))
        );
        assert_eq!(token.rights.component_access, ["a"]);
        assert_eq!(token.rights.bucket_permissions.len(), 1);
        assert!(read_token(&json!({"id": "1"})).is_err(), "whose is it?");
    }
}
