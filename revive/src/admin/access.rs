//! Who asks, and whether they may: bearer tokens with roles (RFC 6750).

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use config::model::{Role, Token};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::attempts::{Attempts, Verdict};
use super::problem::Problem;
use crate::clock;

/// How long a wrong secret waits for its answer, after too many.
const SLOWED: Duration = Duration::from_millis(250);

/// Who acts where no tokens are.
const LOCAL: &str = "local";

/// Who may use the API; everybody who reaches it where there are none. Clones share it.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<watch::Sender<Arc<[Token]>>>);

impl Tokens {
    /// These.
    pub fn new(tokens: Vec<Token>) -> Self {
        Self(Arc::new(watch::Sender::new(tokens.into())))
    }

    /// From the next request on, these.
    pub fn replace(&self, tokens: Vec<Token>) {
        self.0.send_replace(tokens.into());
    }

    fn now(&self) -> Arc<[Token]> {
        self.0.borrow().clone()
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Everybody who reaches it.
    Open,
    /// Those who have this role, or a higher one.
    Role(Role),
}

/// Who asks, for the audit: a token's name, or `local` where there are none.
#[derive(Clone, Debug)]
pub(super) struct Actor(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let actor = parts.extensions.get::<Self>().cloned();
        actor.ok_or_else(|| Problem::internal(&"this route does not ask who uses it"))
    }
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// What the door to a route knows.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) tokens: Tokens,
    pub(super) attempts: Arc<Mutex<Attempts>>,
    pub(super) access: Access,
}

/// Who a request says it is from.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// There are no tokens.
    Local,
    /// A token's secret.
    Known(String, Role),
    /// No secret is said.
    Silent,
    /// A secret that is no token's.
    Wrong,
}

/// Lets those in who may, and says who they are.
pub(super) async fn check(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    match door.admit(request.headers(), peer).await {
        Ok(actor) => {
            request.extensions_mut().insert(actor);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Door {
    async fn admit(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Result<Actor, Problem> {
        let needed = match self.access {
            Access::Open => return Ok(Actor(LOCAL.to_owned())),
            Access::Role(role) => role,
        };
        match claim(&self.tokens.now(), headers.get(header::AUTHORIZATION)) {
            Claim::Local => Ok(Actor(LOCAL.to_owned())),
            Claim::Known(name, role) if role >= needed => Ok(Actor(name)),
            Claim::Known(name, role) => Err(Problem::role_needed(&name, role, needed)),
            Claim::Silent => Err(Problem::nobody()),
            Claim::Wrong => Err(self.wrong(peer).await),
        }
    }

    /// A right secret is let in however many wrong ones its address has sent, so that nobody can lock admins out by
    /// guessing; guessing is slow.
    async fn wrong(&self, peer: Option<IpAddr>) -> Problem {
        let Some(peer) = peer else { return Problem::wrong_secret() };
        let verdict = {
            let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
            attempts.wrong(peer, clock::now())
        };
        match verdict {
            Verdict::Told { first } => {
                if first {
                    tracing::warn!(%peer, "a wrong secret for the admin API");
                }
                Problem::wrong_secret()
            }
            Verdict::TooMany { retry_after, first } => {
                if first {
                    tracing::warn!(%peer, "too many wrong secrets for the admin API: its answers are slowed");
                }
                tokio::time::sleep(SLOWED).await;
                Problem::too_many_attempts(retry_after)
            }
        }
    }
}

fn claim(tokens: &[Token], authorization: Option<&HeaderValue>) -> Claim {
    if tokens.is_empty() {
        return Claim::Local;
    }
    let Some(secret) = authorization.and_then(bearer) else { return Claim::Silent };
    let said: [u8; 32] = Sha256::digest(secret).into();
    // All are compared, so that how long it takes says nothing of which is near.
    let mut known = None;
    for token in tokens {
        for right in &token.secrets {
            if same(&said, right) {
                known = Some(token);
            }
        }
    }
    known.map_or(Claim::Wrong, |token| Claim::Known(token.name.to_string(), token.role))
}

/// The credentials of the scheme `Bearer`, whose name knows no case (RFC 9110, section 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, secret) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| secret.trim_ascii())
}

/// Takes as long wherever they differ.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let differing = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use config::model::Label;

    use super::*;

    fn token(name: &str, role: Role, secrets: &[&str]) -> Token {
        let secrets = secrets.iter().map(|secret| Sha256::digest(secret).into()).collect();
        Token { name: Label::parse(name).unwrap(), role, secrets }
    }

    #[test]
    fn a_secret_says_who_it_is_in_any_spelling_of_the_scheme() {
        let tokens =
            [token("ann", Role::Admin, &["old", "new"]), token("bob", Role::Viewer, &["bobs secret"])];
        let said = |text: &str| claim(&tokens, Some(&HeaderValue::from_str(text).unwrap()));
        let ann = || Claim::Known("ann".into(), Role::Admin);
        for text in ["Bearer old", "bearer new", "BEARER  new "] {
            assert_eq!(said(text), ann(), "{text}");
        }
        assert_eq!(said("Bearer bobs secret"), Claim::Known("bob".into(), Role::Viewer));
        for text in ["Bearer ol", "Bearer oldd", "Bearer OLD", "Bearer ", "Bearer old,new"] {
            assert_eq!(said(text), Claim::Wrong, "{text}");
        }
        for text in ["", "Bearer", "old", "Basic b2xk", "Bearerold"] {
            assert_eq!(said(text), Claim::Silent, "{text}");
        }
        assert_eq!(claim(&tokens, None), Claim::Silent);
        assert_eq!(claim(&[], Some(&HeaderValue::from_static("Bearer x"))), Claim::Local);
    }

    /// Target 27: whoever says a secret while it is there gets no 401, however often secrets are replaced.
    #[test]
    fn a_secret_is_replaced_while_much_is_asked() {
        const ROUNDS: u32 = 1_000;
        let said = |n: u32| HeaderValue::from_str(&format!("Bearer {n}")).unwrap();
        let tokens = Tokens::new(vec![token("ann", Role::Admin, &["0"])]);
        // The secret that everybody uses now: it is there before it is used, and until another is.
        let (used, asked) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while used.load(SeqCst) < ROUNDS {
                        let secret = used.load(SeqCst);
                        let claim = claim(&tokens.now(), Some(&said(secret)));
                        if used.load(SeqCst) == secret {
                            assert_eq!(claim, Claim::Known("ann".into(), Role::Admin), "{secret}");
                            asked.fetch_add(1, SeqCst);
                        }
                    }
                });
            }
            for n in 0..ROUNDS {
                let (old, new) = (n.to_string(), (n + 1).to_string());
                tokens.replace(vec![token("ann", Role::Admin, &[&old, &new])]);
                used.store(n + 1, SeqCst);
                tokens.replace(vec![token("ann", Role::Admin, &[&new])]);
                assert_eq!(claim(&tokens.now(), Some(&said(n))), Claim::Wrong);
            }
        });
        assert!(asked.into_inner() > 0);
    }
}
