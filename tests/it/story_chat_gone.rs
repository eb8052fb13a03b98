//! An app that was removed from its workspace says nothing there any more, shows so, and goes on by itself when it is let
//! in again; and people of other workspaces are not taken for one of ours.

use serde_json::{Value, json};
use taskbridge::store::api_keys::Scope;
use taskbridge::store::deliveries::DeliveryState;

use crate::api_kit::Caller;
use crate::support::chat::{CHANNEL, MONA_CHAT, chat_world};
use crate::support::world::World;

impl World {
    async fn chat_event(&self, id: &str, event: Value) {
        let body = json!({ "type": "event_callback", "team_id": "T0001", "api_app_id": "A0001", "event_id": id, "event": event });
        self.slack_says(&self.slack().signed("application/json", body.to_string())).await;
        self.settle().await;
    }

    pub(crate) async fn chat_status(&self) -> Value {
        let caller = Caller::new(self, &format!("looks {}", self.bridge.ground.now()), Scope::Read).await;
        caller.get("/api/v1/status").await.body["chats"][0].clone()
    }
}

#[tokio::test]
async fn an_app_that_was_removed_is_silent_until_it_is_let_in_again() {
    let world = chat_world().await;
    world.slash(MONA_CHAT, "fix it").await;
    let before = world.living();
    world.slack().uninstall(true);
    world.chat_event("Ev1", json!({ "type": "app_uninstalled" })).await;
    world.chat_event("Ev2", json!({ "type": "tokens_revoked", "tokens": { "oauth": [], "bot": ["U0BOT"] } })).await;
    assert!(world.delivery("Ev1").await.reason.unwrap_or_default().contains("uninstalled"));
    world.live_for(300).await;
    assert_eq!(world.slack().messages(), std::slice::from_ref(&before), "nothing more is told");
    let status = world.chat_status().await;
    assert!(status["app_gone_since"].is_string() && status["app_gone_because"].is_string(), "{status}");
    world.slack().uninstall(false);
    world.live_for(1500).await;
    let after = world.slack().messages().into_iter().find(|message| message.ts == before.ts).unwrap();
    assert!(after.text.contains("*Done*"), "{}", after.text);
    assert_eq!(world.chat_status().await["app_gone_since"], Value::Null);
    // Old news, told once more: the app is let in, and that decides.
    world.chat_event("Ev3", json!({ "type": "app_uninstalled" })).await;
    assert_eq!(world.chat_status().await["app_gone_since"], Value::Null);
    // People who take back their own tokens change nothing.
    world.chat_event("Ev4", json!({ "type": "tokens_revoked", "tokens": { "oauth": ["U0MONA"], "bot": [] } })).await;
    assert_eq!(world.delivery("Ev4").await.state, DeliveryState::Ignored);
}

#[tokio::test]
async fn the_same_account_id_of_another_workspace_is_somebody_else() {
    let world = chat_world().await;
    let said = |id: &str, team: Value| {
        json!({
            "type": "event_callback", "team_id": "T0001", "api_app_id": "A0001", "event_id": id,
            "is_ext_shared_channel": true, "authorizations": [{ "team_id": "T0001", "user_id": "U0BOT" }],
            "event": { "type": "app_mention", "user": MONA_CHAT, "user_team": team, "channel": CHANNEL, "ts": format!("1.{id}"),
                       "text": "<@U0BOT> fix it" },
        })
    };
    for (id, team) in [("1", json!("T0002")), ("2", Value::Null)] {
        world.slack_says(&world.slack().signed("application/json", said(id, team).to_string())).await;
        world.settle().await;
        assert!(world.tasks().await.is_empty(), "{id}");
    }
    assert!(world.whispered(MONA_CHAT).contains("not linked"), "{}", world.whispered(MONA_CHAT));
    world.slack_says(&world.slack().signed("application/json", said("3", json!("T0001")).to_string())).await;
    world.settle().await;
    assert_eq!(world.tasks().await.len(), 1);
}
