//! What the stories of the admin API share: keys, calls and rows made in bulk.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use taskbridge::pipeline::api_keys;
use taskbridge::secret::Secret;
use taskbridge::store::api_keys::Scope;

use crate::support::world::{Answer, World};

/// A caller with a key.
pub(crate) struct Caller<'a> {
    pub(crate) world: &'a World,
    pub(crate) key: Secret,
}

impl<'a> Caller<'a> {
    pub(crate) async fn new(world: &'a World, name: &str, scope: Scope) -> Self {
        let (_, key) = api_keys::create(&world.bridge.store, &world.bridge.ground, name, scope).await.unwrap();
        crate::support::canary::listen(&[key.expose()]);
        Self { world, key }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.call(Method::POST, path, None).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = request(method, path).header("authorization", format!("Bearer {}", self.key.expose()));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.world.send(request.unwrap()).await
    }
}

pub(crate) fn request(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

/// A problem document as it is shown, with what differs from run to run taken out.
pub(crate) fn shown(answer: &Answer) -> String {
    let headers: Vec<String> = ["content-type", "cache-control", "x-content-type-options", "www-authenticate", "allow"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}: {}\n", answer.headers.get(name)?.to_str().unwrap())))
        .collect();
    let body = serde_json::to_string_pretty(&answer.body).unwrap();
    format!("{}\n{}\n{body}", answer.status, headers.concat())
}

/// Many tasks, straight into the table: every hundredth is of the rare rule, repository, person and state.
pub(crate) async fn many_tasks(world: &World, count: i32) -> PgConnection {
    let mut connection = PgConnection::connect(&world.database.url).await.unwrap();
    sqlx::query(
        "INSERT INTO tasks (id, state, rule, rule_version, delivery_id, source, host, event, repo_id, repo_owner,
                            repo_name, origin_repo_id, origin_owner, origin_name, subject_kind, person_id,
                            person_login, allow_rule, report, prompt, marker, create_pull_request, created_at,
                            changed_at, due_at)
         SELECT (lpad(to_hex(1800000000000 + n * 1000), 12, '0') || '7000800000000000' || lpad(to_hex(n), 4, '0'))::uuid,
                CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'completed' END,
                CASE WHEN n % 100 = 0 THEN 'rare' ELSE 'common-' || n % 3 END, 'v', gen_random_uuid(), 'github',
                'github.com', 'issues.labeled', 1, 'Acme', CASE WHEN n % 100 = 0 THEN 'Rare' ELSE 'widgets' END, 1,
                'acme', 'widgets', 'issue', 1001, CASE WHEN n % 100 = 0 THEN 'Rare' ELSE 'mona' END, $2, $3,
                'p', 'marker-' || n, true, to_timestamp(1800000000 + n), to_timestamp(1800000000 + n),
                to_timestamp(1800000000 + n)
         FROM generate_series(1, $1) n",
    )
    .bind(count)
    .bind(serde_json::to_value(taskbridge::domain::rule::Allow::default()).unwrap())
    .bind(serde_json::to_value(taskbridge::domain::rule::Reporting::default()).unwrap())
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::query("ANALYZE tasks").execute(&mut connection).await.unwrap();
    connection
}
