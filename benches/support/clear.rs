//! Between two measurements the table is emptied and written out, so that each begins with the same.

use sqlx::{Connection as _, PgConnection};

/// Forgets all deliveries.
pub(crate) async fn clear(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("the private server answers");
    for statement in ["TRUNCATE deliveries CASCADE", "CHECKPOINT"] {
        sqlx::query(statement).execute(&mut connection).await.expect("the owner may do so");
    }
    connection.close().await.expect("the connection ends");
}
