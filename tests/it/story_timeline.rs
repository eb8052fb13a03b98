//! The timeline of a task tells what happened in the order in which it happened.

use taskbridge::pipeline::transition::note;

use crate::support::stories::MONA;
use crate::support::world::{LABEL_RULE, World};

#[tokio::test]
async fn what_happens_in_one_moment_is_told_in_its_order() {
    let world = World::new(LABEL_RULE).await;
    let task = world.wish(MONA, 1).await;
    let mut tx = world.bridge.store.begin().await.unwrap();
    let task = tx.lock_task(task.id).await.unwrap().unwrap();
    let said: Vec<String> = (0..20).map(|nth| format!("the {nth}th thing")).collect();
    for text in &said {
        note(&mut tx, &world.bridge.ground, &task, "note", text).await.unwrap();
    }
    tx.commit().await.unwrap();
    let told = world.bridge.store.timeline(task.id).await.unwrap();
    let told: Vec<String> = told.into_iter().map(|entry| entry.text).filter(|text| text.ends_with("thing")).collect();
    assert_eq!(told, said);
}
