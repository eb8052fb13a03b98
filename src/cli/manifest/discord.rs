//! What Discord is told: the command to register, and for people the link that installs the application and the address to
//! enter.
//! Facts from discord/discord-api-docs, `interactions/application-commands` and `topics/oauth2`, `topics/permissions`.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::config::WebUrl;

/// View Channels, Send Messages, Read Message History (without it Discord refuses a reply to a message), Send Messages in Threads.
const PERMISSIONS: u64 = 1 << 10 | 1 << 11 | 1 << 16 | 1 << 38;

/// Print the command to register with Discord, and how; with the install link and the address to enter there.
#[derive(Debug, Args)]
pub(super) struct Discord {
    /// The application's id, from General Information.
    #[arg(long)]
    application_id: String,
    /// Where Discord reaches this service: `https://bridge.example.com`.
    #[arg(long)]
    url: String,
    /// The name of the source in the configuration.
    #[arg(long, default_value = "discord")]
    source: String,
    /// The command that people type.
    #[arg(long, default_value = "/copilot")]
    command: String,
}

/// What is to be done at Discord.
#[derive(Debug)]
struct Told {
    command: Value,
    steps: String,
}

impl Discord {
    /// The command goes to the standard output, so that it can be sent as it is; the rest is for people.
    pub(super) fn print(&self) -> Result<(), CliError> {
        let told = self.told()?;
        eprintln!("{}", told.steps);
        crate::cli::said::print(&format!("{:#}\n", told.command))
    }

    fn told(&self) -> Result<Told, CliError> {
        let wrong = |what: &str, why: String| CliError::Said(format!("{what}: {why}"));
        let command = crate::config::SlashName::read(&self.command).map_err(|why| wrong("--command", why))?;
        let name = command.trim_start_matches('/');
        let source = crate::config::Name::read(&self.source).map_err(|why| wrong("--source", why))?;
        let id = self.application_id.as_str();
        if !crate::config::is_snowflake(id) {
            let why = "a number of 17 to 20 digits, which Discord shows under General Information".to_owned();
            return Err(wrong("--application-id", why));
        }
        let url = WebUrl::read(&self.url).map_err(|why| wrong("--url", why))?;
        if !url.starts_with("https://") {
            return Err(wrong("--url", "Discord sends to `https` addresses only".to_owned()));
        }
        let steps = format!(
            "1. Install the application in a server, with this link:\n   \
             https://discord.com/oauth2/authorize?client_id={id}&scope=bot+applications.commands&permissions={PERMISSIONS}\n\
             2. Register the command below, once, and again after a change:\n   \
             taskbridge manifest discord --application-id {id} --url {url} --source {source} --command {command} |\n     \
             curl -X POST https://discord.com/api/v10/applications/{id}/commands \\\n     \
             -H \"Authorization: Bot $DISCORD_BOT_TOKEN\" -H \"Content-Type: application/json\" -d @-\n\
             3. When taskbridge runs, enter under General Information → Interactions Endpoint URL:\n   {url}/hooks/{source}",
            url = *url,
            source = *source,
            command = *command
        );
        let command = json!({
            "name": name,
            "type": 1,
            "description": "Start an agent task as you, or see yours",
            // Installed in servers; typed there or to the bot alone.
            "integration_types": [0],
            "contexts": [0, 1],
            "options": [{
                "type": 3, "name": "text",
                "description": "What to do (repo:owner/name first, if needed), or: status, list, help",
            }],
        });
        Ok(Told { command, steps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discord(change: impl FnOnce(&mut Discord)) -> Result<Told, String> {
        let text = |text: &str| text.to_owned();
        let mut discord = Discord {
            application_id: text("845027738276462632"),
            url: text("https://bridge.example.com/"),
            source: text("team"),
            command: text("/fix"),
        };
        change(&mut discord);
        discord.told().map_err(|error| error.to_string())
    }

    #[test]
    fn it_names_the_command_the_install_link_and_the_address_of_the_source() {
        let Told { command, steps } = discord(|_| ()).expect("all is right");
        assert_eq!((&command["name"], &command["options"][0]["type"]), (&json!("fix"), &json!(3)));
        for there in [
            "client_id=845027738276462632&scope=bot+applications.commands&permissions=274877975552\n",
            "https://discord.com/api/v10/applications/845027738276462632/commands",
            "https://bridge.example.com/hooks/team",
        ] {
            assert!(steps.contains(there), "{there} in {steps}");
        }
        // What Discord would not take.
        let texts = [&command["description"], &command["options"][0]["description"]];
        assert!(texts.iter().all(|text| (1..=100).contains(&text.as_str().map_or(0, str::len))), "{texts:?}");
    }

    #[test]
    fn what_discord_would_not_take_is_named() {
        for (change, named) in [
            ((|own: &mut Discord| own.application_id = "12".to_owned()) as fn(&mut Discord), "--application-id: "),
            (|own| own.url = "http://bridge.example.com".to_owned(), "--url: Discord sends to `https`"),
            (|own| own.url = "bridge".to_owned(), "--url: "),
            (|own| own.command = "/Fix".to_owned(), "--command: "),
        ] {
            let error = discord(change).expect_err(named);
            assert!(error.contains(named), "{error}");
        }
    }
}
