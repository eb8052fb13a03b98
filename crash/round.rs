//! One round: set the stage, disturb everything for a while, let it come to rest, look.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::load::{Book, Load};
use crate::options::Options;
use crate::places::{Counts, Places};
use crate::stage::{Fatal, Stage};
use crate::tally::Tally;
use crate::told::Told;
use crate::watcher::Armoury;
use crate::{
    app_tokens, chat, check, database, faults, logs, receiver, replica, rest, rotation, signed_in, stage, tasks,
    watcher,
};

/// What came of a round.
pub(crate) struct Outcome {
    seed: u64,
    pub tally: Tally,
    wrong: Vec<String>,
    pub visits: Counts,
    /// Where everything lies, if it was kept.
    kept: Option<std::path::PathBuf>,
}

impl Outcome {
    /// Whether it holds; for a control, whether the fault was seen.
    pub(crate) fn is_good(&self, control: bool) -> bool {
        if control { self.tally.get("duplicates.seen") > 0 } else { self.wrong.is_empty() }
    }

    /// Tells it to a person.
    pub(crate) fn tell(&self, control: bool) {
        let points =
            self.visits.iter().map(|(name, of)| format!("{name} {}/{}/{}", of.reached, of.aborted, of.stopped));
        eprintln!("fail points (reached, aborted, stopped): {}", points.collect::<Vec<_>>().join("  "));
        eprintln!("seed {}: {}", self.seed, self.tally.line());
        for what in &self.wrong {
            eprintln!("seed {}: {what}", self.seed);
        }
        if control {
            eprintln!("seed {}: a control: {} tasks were made twice", self.seed, self.tally.get("duplicates.seen"));
        }
        if let Some(folder) = &self.kept {
            eprintln!("seed {}: logs and database are in {}", self.seed, folder.display());
        }
    }
}

/// Plays a round; nothing comes of one that was told to end.
pub(crate) async fn run(
    options: &Options,
    seed: u64,
    places: &Arc<Places>,
    told: &mut Told,
) -> Result<Option<Outcome>, Fatal> {
    let stage = Stage::set(options, seed, Arc::clone(places)).await?;
    let played = tokio::select! {
        played = play(&stage) => played,
        () = told.wait() => {
            stage::leave(stage).await?;
            return Ok(None);
        }
    };
    stage.database.stop().await?;
    let book = played.map_err(|error| format!("{error}; see {}", stage.folder.display()))?;
    stage.tally.add("rounds", 1);
    stage.tally.add("deliveries.through_two_hooks", check::through_two_hooks(&book));
    let visits = watcher::count(&stage);
    for (name, of) in &visits {
        stage.tally.add(&format!("point.{name}.reached"), of.reached);
        stage.tally.add(&format!("point.{name}.aborted"), of.aborted);
        stage.tally.add(&format!("point.{name}.stopped"), of.stopped);
        stage.tally.add("kills.at_fail_points", of.aborted);
        stage.tally.add("pauses.at_fail_points", of.stopped);
    }
    let wrong = stage.wrong.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let keep = options.keep || !wrong.is_empty() && !options.control;
    if !keep {
        stage::clear(&stage.folder);
    }
    let kept = keep.then(|| stage.folder.clone());
    let tally = Tally::default();
    tally.take_in(&stage.tally);
    Ok(Some(Outcome { seed, tally, wrong, visits, kept }))
}

async fn play(stage: &Arc<Stage>) -> Result<Book, Fatal> {
    first_starts(stage).await?;
    stage.add_people().await?;
    chat::link(stage).await?;
    signed_in::sign_in(stage).await?;
    let stop = CancellationToken::new();
    let mut load = Load::new(Arc::clone(stage));
    disturb(stage, &mut load, &stop).await?;
    faults::let_late_ones_happen().await;
    eprintln!("nothing is disturbed any more; coming to rest");
    let at_rest = CancellationToken::new();
    let mut replicas: JoinSet<Result<(), Fatal>> = JoinSet::new();
    for number in 0..stage.addresses.len() {
        replicas.spawn(replica::keep(Arc::clone(stage), number, at_rest.clone()));
    }
    let book = load.finish().await;
    let pool = stage.database.pool().await?;
    app_tokens::settle(stage, &pool).await?;
    rest::come_to_rest(stage, &pool).await?;
    let found = tasks::find(stage, &pool).await?;
    let by_chance = check::deliveries(stage, &pool, &book).await?;
    check::wishes(stage, &book, &found, &by_chance);
    check::markers(stage);
    check::points(stage);
    tasks::ends(stage, &found);
    tasks::stories(stage, &pool).await?;
    tasks::comments(stage, &pool, &found).await?;
    tasks::labels(stage, &pool).await?;
    chat::told(stage, &found);
    receiver::heard(stage, &pool).await?;
    signed_in::good(stage, &pool).await?;
    app_tokens::good(stage, &pool).await?;
    logs::look_at_rows(stage, &pool).await?;
    pool.close().await;
    at_rest.cancel();
    while let Some(ended) = replicas.join_next().await {
        ended??;
    }
    logs::look(stage, &found)?;
    Ok(book)
}

/// The tables are made by a replica that dies before, by one that dies behind it, and by two at once.
///
/// Case 32.
async fn first_starts(stage: &Arc<Stage>) -> Result<(), Fatal> {
    if stage.options.arms() {
        for plan in ["migrate-before=abort@1", "migrate-done=abort@1"] {
            let status = replica::start(stage, 0, plan)?.wait().await?;
            if status.signal() != Some(rustix::process::Signal::ABORT.as_raw()) {
                stage.wrong(format!("a replica with the plan `{plan}` did not die there, but ended with {status}"));
            }
        }
    }
    Ok(())
}

/// Everything at once, for as long as it was asked for.
async fn disturb(stage: &Arc<Stage>, load: &mut Load, stop: &CancellationToken) -> Result<(), Fatal> {
    let armoury = Arc::new(Armoury::new(stage));
    let mut actors: JoinSet<Result<(), Fatal>> = JoinSet::new();
    let replicas_stop = CancellationToken::new();
    let mut replicas: JoinSet<Result<(), Fatal>> = JoinSet::new();
    for number in 0..stage.addresses.len() {
        replicas.spawn(replica::live(Arc::clone(stage), Arc::clone(&armoury), number, replicas_stop.clone()));
    }
    let watched = CancellationToken::new();
    let mut watchers: JoinSet<()> = JoinSet::new();
    watchers.spawn(watcher::wake_sleepers(Arc::clone(stage), watched.clone()));
    let (on, until, arms) = (Arc::clone(stage), stop.clone(), Arc::clone(&armoury));
    actors.spawn(async move { rotation::rotate(&on, &arms, &until).await });
    let (on, until) = (Arc::clone(stage), stop.clone());
    actors.spawn(async move {
        app_tokens::operate(&on, &until).await;
        Ok(())
    });
    if stage.options.disturbs_github() {
        let (on, until) = (Arc::clone(stage), stop.clone());
        actors.spawn(async move {
            faults::disturb(&on, &until).await;
            Ok(())
        });
        let (on, until) = (Arc::clone(stage), stop.clone());
        actors.spawn(async move {
            chat::disturb(&on, &until).await;
            Ok(())
        });
    }
    if stage.options.kills_database() {
        let (on, until) = (Arc::clone(stage), stop.clone());
        actors.spawn(async move { database::disturb(&on, &until).await });
    }
    let (timer, seconds) = (stop.clone(), stage.options.seconds);
    let mut clock: JoinSet<()> = JoinSet::new();
    clock.spawn(async move {
        sleep(Duration::from_secs(seconds)).await;
        timer.cancel();
    });
    load.run(stop).await?;
    // A rotation that was begun needs living replicas to come to its end: they are the last to go.
    while let Some(ended) = actors.join_next().await {
        ended??;
    }
    replicas_stop.cancel();
    while let Some(ended) = replicas.join_next().await {
        ended??;
    }
    watched.cancel();
    while watchers.join_next().await.is_some() {}
    Ok(())
}
