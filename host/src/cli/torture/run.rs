//! One run from its beginning to its verdict: peers, hosts, load and faults, peace, reading, checking.
//!
//! Whatever becomes of it, its hosts end with it. The folder with their logs stays where a promise was broken.

use super::api::{Api, Call, Reply, id_of};
use super::certificates::Certificates;
use super::check::{Broken, Findings, check};
use super::components::ComponentServer;
use super::dice::Dice;
use super::evidence::Evidence;
use super::faults::{self, Kind};
use super::hosts::{Host, Installation};
use super::load::{Client, Notebook, note_write};
use super::mail_server::MailServer;
use super::proxy::{Proxy, Way};
use super::verdict::Verdict;
use crate::clock::{Clock, Random};
use crate::domain::ids::{JobId, OrchestrationId};
use crate::domain::job::Status;
use crate::domain::time::Timestamp;
use crate::store::{History, OpenWork, Store};
use crate::wake::Stop;
use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;

const CLIENTS: usize = 8;
/// How long it may take until everything is over once the hosts are left in peace.
const LONGEST_QUIETING: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(500);
/// The master token of the hosts' project.
const TOKEN: &str = "torture-master-token";

/// What is to be done.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) work_dir: TempDir,
    pub(super) database_url: String,
    pub(super) is_embedded: bool,
    pub(super) hosts: usize,
    pub(super) time: Duration,
    pub(super) seed: u64,
    /// Kinds of faults; not empty.
    pub(super) faults: Vec<Kind>,
    pub(super) program: PathBuf,
    pub(super) clock: Clock,
}

/// The hosts' peers.
struct Peers {
    components: ComponentServer,
    mail: MailServer,
}

impl Run {
    /// `true`: every promise held.
    pub(super) async fn execute(mut self) -> anyhow::Result<bool> {
        let database = if self.is_embedded {
            "SQLite"
        } else {
            "PostgreSQL"
        };
        let title = format!(
            "torture: seed {}, {} host(s) on {database}, {:.1} minutes",
            self.seed,
            self.hosts,
            self.time.as_secs_f64() / 60.0
        );
        eprintln!("{title}");
        let certificates = Certificates::make()?;
        std::fs::write(self.ca_path(), &certificates.ca_pem)
            .context("cannot write the certificate")?;
        let peers = Peers {
            components: ComponentServer::start(&certificates, self.clock.clone()).await?,
            mail: MailServer::start().await?,
        };
        let hosts: Arc<[Host]> = self.make_hosts(&peers).await?.into();
        for host in hosts.iter() {
            host.start().await?;
        }
        let api = Api::new(Arc::clone(&hosts), TOKEN.to_owned())?;
        let notebook = Notebook::default();

        let faults = self.torture(&hosts, &api, &notebook).await?;
        eprintln!("peace: waiting until everything is over");
        peers.mail.calm();
        self.end_schedules(&api, &notebook).await?;
        let settled_until = self.clock.now();
        let open = self.wait_for_quiet().await?;
        let shown = self.read_jobs(&api, &notebook).await?;
        for host in hosts.iter() {
            host.terminate().await;
        }
        let mut evidence = Evidence {
            kept: self.read_database().await?,
            told: notebook.open().clone(),
            starts: peers.components.starts(),
            mails: peers.mail.mails(),
            shown,
            settled_until: Some(settled_until),
        };
        evidence.kept.jobs.sort_by_key(|job| job.id);

        let mut findings = Findings(check(&evidence));
        for fall in hosts.iter().flat_map(Host::falls) {
            findings.add(Broken::HostFell, fall);
        }
        if let Some(open) = open {
            findings.add(
                Broken::LeftOver,
                format!("after {LONGEST_QUIETING:?} of peace there was {open:?}"),
            );
        }
        let violations = findings.0;
        let verdict = Verdict {
            title,
            faults,
            evidence: &evidence,
            violations: &violations,
        };
        print!("{verdict}");
        if !violations.is_empty() {
            self.work_dir.disable_cleanup(true);
            println!("the hosts' logs are in {}", self.work_dir.path().display());
        }
        Ok(violations.is_empty())
    }

    fn ca_path(&self) -> PathBuf {
        self.work_dir.path().join("ca.pem")
    }

    async fn make_hosts(&self, peers: &Peers) -> anyhow::Result<Vec<Host>> {
        let mut key = [0; 32];
        Random::system().fill(&mut key)?;
        let key = hex::encode(key);
        let installation = Installation {
            program: self.program.clone(),
            arguments: vec![
                format!("--components-url={}", peers.components.url()),
                format!("--smtp-url={}", peers.mail.url()),
                "--outbound-allow=127.0.0.1/32".to_owned(),
                format!("--outbound-ca={}", self.ca_path().display()),
            ],
            environment: vec![
                ("ORCHESTRATOR_MASTER_KEY", key),
                ("ORCHESTRATOR_MASTER_TOKEN", TOKEN.to_owned()),
            ],
            work_dir: self.work_dir.path().to_owned(),
        };
        let mut hosts = Vec::with_capacity(self.hosts);
        for number in 1..=self.hosts {
            let proxy = if self.is_embedded {
                None
            } else {
                Some(Proxy::start(&self.database_url, self.clock.clone()).await?)
            };
            let installation = installation.clone();
            hosts.push(Host::new(
                number,
                installation,
                &self.database_url,
                proxy,
                self.clock.clone(),
            )?);
        }
        Ok(hosts)
    }

    /// Load and faults side by side until the time is over; returns how many faults there were.
    async fn torture(
        &self,
        hosts: &Arc<[Host]>,
        api: &Api,
        notebook: &Notebook,
    ) -> anyhow::Result<usize> {
        let dice = Dice::new(self.seed);
        let (stop_faults, stop_load) = (Stop::default(), Stop::default());
        let mut clients = JoinSet::new();
        for number in 1..=CLIENTS {
            let dice = dice.of(u64::try_from(number).unwrap_or(0));
            let client = Client::new(
                number,
                api.clone(),
                dice,
                self.clock.clone(),
                notebook.clone(),
            );
            let stop = stop_load.clone();
            clients.spawn(async move { client.run(&stop).await });
        }
        let mut tortures = JoinSet::new();
        for place in 0..hosts.len() {
            let dice = dice.of(1_000 + u64::try_from(place).unwrap_or(0));
            let (hosts, clock, stop) = (Arc::clone(hosts), self.clock.clone(), stop_faults.clone());
            let possible = self.faults.clone();
            tortures.spawn(async move {
                match hosts.get(place) {
                    Some(host) => faults::torture(host, &possible, dice, &clock, &stop).await,
                    None => Ok(0),
                }
            });
        }
        let end = self.end_of_load();
        let mut faults = 0;
        loop {
            tokio::select! {
                () = self.clock.sleep_until(end), if !stop_load.is_stopped() => {
                    stop_load.stop();
                    stop_faults.stop();
                }
                ended = tortures.join_next() => match ended {
                    Some(done) => faults += done.context("the torture itself failed")??,
                    None => break,
                },
            }
        }
        for host in hosts.iter() {
            host.set_way(Way::Open);
        }
        while let Some(ended) = clients.join_next().await {
            ended.context("a client failed")?;
        }
        Ok(faults)
    }

    /// Not before a schedule was due, so that a short run sees one.
    fn end_of_load(&self) -> Timestamp {
        let now = self.clock.now();
        let after_tick = now
            .plus(Duration::from_secs(5))
            .next_minute()
            .plus(Duration::from_secs(5));
        now.plus(self.time).max(after_tick)
    }

    /// Pauses every schedule, those too whose creation was never answered: nothing new arises.
    async fn end_schedules(&self, api: &Api, notebook: &Notebook) -> anyhow::Result<()> {
        let list = self
            .insist(api, &Method::GET, "/orchestrations", &Call::default())
            .await?;
        let Reply::Acknowledged(Value::Array(list)) = list else {
            bail!("the orchestrations cannot be listed: {list:?}");
        };
        for one in &list {
            let is_due = one
                .get("nextScheduledTime")
                .is_some_and(|next| !next.is_null());
            let Some(id) = id_of(one).map(OrchestrationId).filter(|_| is_due) else {
                continue;
            };
            let path = format!("/orchestrations/{id}");
            let pause = Call::with(json!({"active": false}));
            let reply = self.insist(api, &Method::PUT, &path, &pause).await?;
            note_write(notebook, id, &reply, |told| &mut told.active, false);
        }
        Ok(())
    }

    /// Sends until there is an answer: nothing is done to the hosts any more.
    async fn insist(
        &self,
        api: &Api,
        method: &Method,
        path: &str,
        call: &Call,
    ) -> anyhow::Result<Reply> {
        let mut dice = Dice::new(self.seed).of(2_000);
        let deadline = self.clock.now().plus(LONGEST_QUIETING);
        loop {
            let reply = api.send(&mut dice, method, path, call).await;
            if !matches!(reply, Reply::NotSent | Reply::Unknown) {
                return Ok(reply);
            }
            if self.clock.now() > deadline {
                bail!("{method} {path} was not answered within {LONGEST_QUIETING:?} of peace");
            }
            self.clock.sleep(LOOK).await;
        }
    }

    /// Waits until nothing is open; `Some`: what still was when patience was over.
    async fn wait_for_quiet(&self) -> anyhow::Result<Option<OpenWork>> {
        let store = Store::open(&self.database_url).await?;
        let deadline = self.clock.now().plus(LONGEST_QUIETING);
        let open = loop {
            let open = store.count_open_work().await?;
            if open.jobs == 0 && open.deliveries == 0 {
                break None;
            }
            if self.clock.now() > deadline {
                break Some(open);
            }
            self.clock.sleep(LOOK).await;
        };
        store.close().await;
        Ok(open)
    }

    /// What the API says of each acknowledged job.
    async fn read_jobs(
        &self,
        api: &Api,
        notebook: &Notebook,
    ) -> anyhow::Result<BTreeMap<JobId, Option<Status>>> {
        let ids: BTreeSet<JobId> = notebook.open().jobs.values().flatten().copied().collect();
        let mut shown = BTreeMap::new();
        for id in ids {
            let path = format!("/jobs/{id}");
            let reply = self
                .insist(api, &Method::GET, &path, &Call::default())
                .await?;
            let Reply::Acknowledged(job) = reply else {
                shown.insert(id, None);
                continue;
            };
            let status = job.get("status").and_then(Value::as_str);
            shown.insert(id, status.and_then(Status::from_text));
        }
        Ok(shown)
    }

    async fn read_database(&self) -> anyhow::Result<History> {
        let store = Store::open(&self.database_url).await?;
        let history = store.read_history().await;
        store.close().await;
        Ok(history?)
    }
}
