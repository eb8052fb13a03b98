//! What is asked: each list with every filter it has, alone and together, with values that most rows have, a few old
//! ones have, and none has; the first page and pages spread over all the rest.

use serde_json::Value;
use taskbridge::http::api::paging::Paging;

use crate::fill::Places;

/// One question, and the pages at which it is asked.
pub(crate) struct Ask {
    pub(crate) name: String,
    pub(crate) page: &'static str,
    pub(crate) paths: Vec<String>,
    /// `deliveries` or `tasks` with its filters, for the plan; empty for what is planned without any.
    pub(crate) list: &'static str,
    pub(crate) filters: Vec<(&'static str, String)>,
    /// Otherwise a look at one thing, or a sum.
    pub(crate) is_list: bool,
}

/// Filters of deliveries, as in a query.
const DELIVERIES: &[&str] = &[
    "",
    "source=github",
    "source=github-old",
    "source=ghes",
    "source=rare",
    "source=none",
    "state=received",
    "state=processed",
    "state=ignored",
    "state=duplicate",
    "state=failed",
    "event=push",
    "event=issues",
    "event=other_3",
    "event=installation",
    "event=none",
    "since=0.5",
    "since=0.999",
    "since=1.1",
    "event=push&source=github",
    "event=push&source=github-old",
    "event=issues&source=ghes",
    "source=ghes&state=processed",
    "source=github&state=ignored",
    "event=issues&state=ignored",
    "event=pull_request&state=processed",
    "event=push&state=duplicate",
    "event=issues&source=github&state=processed",
    "event=pull_request&source=ghes&state=duplicate",
    "event=installation&since=0.001",
    "event=issues&since=0.5&source=github-old",
    "limit=200",
    "limit=200&source=github",
    "limit=200&state=ignored",
];

/// Filters of tasks, as in a query.
const TASKS: &[&str] = &[
    "",
    "state=completed",
    "state=failed",
    "state=in_progress",
    "state=lost",
    "state=held",
    "rule=fix-labelled-issues",
    "rule=release-notes",
    "rule=rare",
    "rule=none",
    "person=person-1",
    "person=PERSON-77",
    "person=person-9999",
    "person=none",
    "repo=acme/widgets-1",
    "repo=acme/Widgets-77",
    "repo=acme/widgets-9999",
    "repo=acme/none",
    "since=0.5",
    "since=0.999",
    "since=1.1",
    "rule=fix-labelled-issues&state=completed",
    "rule=release-notes&state=failed",
    "person=person-1&state=failed",
    "person=person-77&state=in_progress",
    "repo=acme/widgets-1&state=failed",
    "repo=acme/widgets-1&rule=fix-labelled-issues",
    "repo=acme/widgets-1&rule=release-notes",
    "person=person-1&repo=acme/widgets-1",
    "person=person-1&rule=fix-labelled-issues",
    "person=person-1&repo=acme/widgets-77&rule=fix-labelled-issues&state=failed",
    "rule=rare&since=0.5",
    "rule=fix-labelled-issues&since=0.5",
    "repo=acme/widgets-1&since=0.5",
    "since=0.5&state=lost",
    "since=0.5&state=completed",
    "limit=200",
    "limit=200&rule=fix-labelled-issues",
];

/// Everything that is asked.
pub(crate) fn all(places: &Places) -> Vec<Ask> {
    let mut all = Vec::new();
    for (list, queries) in [("deliveries", DELIVERIES), ("tasks", TASKS)] {
        for query in queries {
            all.extend(pages(list, query, &|part| places.place(part), places));
        }
    }
    let people = places.amounts.people as f64;
    all.extend(pages("people", "", &|part| (people * part) as u128, places));
    for (name, path) in [("pause", "/api/v1/pause"), ("status", "/api/v1/status")] {
        all.push(other(name, vec![path.to_owned()], name == "pause"));
    }
    for query in ["rule=fix-labelled-issues", "rule=rare", "repo=1", "repo=77", "person=person-1", "person=person-77"] {
        all.push(other(&format!("usage {query}"), vec![format!("/api/v1/usage?{query}")], false));
    }
    all
}

/// Each of the rows that a list has just shown, by itself.
pub(crate) fn one_of(list: &str, page: &Value) -> Ask {
    let ids = page["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str());
    other(&format!("one of {list}"), ids.map(|id| format!("/api/v1/{list}/{id}")).collect(), false)
}

fn other(name: &str, paths: Vec<String>, is_list: bool) -> Ask {
    Ask { name: name.to_owned(), page: "first", paths, list: "", filters: Vec::new(), is_list }
}

/// The first page, and twenty more between the newest and the oldest row.
fn pages(list: &'static str, query: &'static str, place: &dyn Fn(f64) -> u128, places: &Places) -> [Ask; 2] {
    let pairs: Vec<(&str, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| match value.parse() {
            Ok(part) if name == "since" => (name, places.moment(part)),
            _ => (name, value.to_owned()),
        })
        .collect();
    let given: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = format!("/api/v1/{list}?{}", given.join("&"));
    let filters: Vec<(&str, String)> = pairs.into_iter().filter(|(name, _)| *name != "limit").collect();
    let deep = (0..20).map(|step| {
        let cursor = cursor(list, &filters, place((f64::from(step) + 0.02) / 20.0));
        format!("{path}&cursor={cursor}").replace("?&", "?")
    });
    let ask = |page, paths| {
        let name = format!("{list} {query}");
        Ask { name, page, paths, list, filters: filters.clone(), is_list: true }
    };
    [ask("first", vec![path.clone()]), ask("deep", deep.collect())]
}

/// The cursor that the list itself would give at this place.
fn cursor(list: &str, filters: &[(&str, String)], place: u128) -> String {
    let mut text = list.to_owned();
    for (name, value) in filters {
        text.extend(["\0", name, "\0", value]);
    }
    let paging = Paging::new(&text, 1, None).expect("no cursor is given");
    paging.page(vec![place, 0], |place| *place, |place| place).next_cursor.expect("there is one more")
}
