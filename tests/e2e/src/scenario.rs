//! The order of the steps, and how they are run: one after the other, timed, until one fails. What each does is in the
//! files of `scenario/`.

mod api;
mod changes;
mod connections;
mod database;
mod faults;
mod from;
mod gitops;
mod install;
mod manifests;
mod mistakes;
mod outside;
mod rotation;
mod upgrade;
mod values;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cluster::Cluster;
use crate::diagnostics;
use crate::helm::Helm;
use crate::needs::Need;
use crate::progress::say;
use crate::python::Python;
use crate::report::{Outcome, Report};
use crate::settings::Settings;

use world::World;
pub(crate) use world::{FRONT_END_POD, HEALTH_PORT};

type Running<'a> = Pin<Box<dyn Future<Output = Result<String>> + 'a>>;
/// A step's name, what it needs beyond a plain cluster, what becomes of those behind it, and what it does.
type Step = (
    &'static str,
    &'static [Need],
    Rest,
    for<'a> fn(&'a mut World) -> Running<'a>,
);

/// What becomes of the steps behind one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// They rely on it, and are not run.
    Stops,
    /// It only looks, or what it changes none of them needs.
    GoesOn,
}
use Rest::{GoesOn, Stops};

/// With the chart's defaults first.
const STEPS: &[Step] = &[
    ("install with no values, every pod ready", &[], Stops, |world| {
        Box::pin(install::install(world))
    }),
    ("helm test", &[], GoesOn, |world| Box::pin(install::test(world))),
    ("pyone logs in with the generated password", &[], Stops, |world| {
        Box::pin(api::login(world))
    }),
    (
        "drivers for tests by values: pod rolled, configured",
        &[],
        Stops,
        |world| Box::pin(upgrade::add_drivers(world)),
    ),
    ("a dummy host, a VM: RUNNING", &[], Stops, |world| {
        Box::pin(api::create(world))
    }),
    ("no password in logs, ConfigMaps, pods", &[], GoesOn, |world| {
        Box::pin(install::secrecy(world))
    }),
    (
        "/status as a page, as JSON, in the container",
        &[],
        GoesOn,
        |world| Box::pin(install::status(world)),
    ),
    (
        "pod deleted: host, VM and Secrets still there",
        &[],
        Stops,
        |world| Box::pin(faults::delete_pod(world)),
    ),
    (
        "kill -9 of oned: back in the same container",
        &[],
        Stops,
        |world| Box::pin(faults::kill_oned(world)),
    ),
    (
        "upgrade with changed values: pod rolled, in effect",
        &[],
        Stops,
        |world| Box::pin(upgrade::upgrade(world)),
    ),
    (
        "rollback: the values of before, nothing lost, and back",
        &[],
        Stops,
        |world| Box::pin(changes::rollback(world, upgrade::ATTRIBUTE)),
    ),
    (
        "upgrade with a larger volume: it grows",
        &[Need::VolumeExpansion],
        Stops,
        |world| Box::pin(changes::grow(world)),
    ),
    (
        "FireEdge by hostname through the Ingress: login",
        &[],
        GoesOn,
        |world| Box::pin(upgrade::fireedge(world)),
    ),
    (
        "connections that pass, and that policies refuse",
        &[Need::NetworkPolicies],
        GoesOn,
        |world| Box::pin(connections::table(world)),
    ),
    (
        "login in a browser by hostname over TLS",
        &[Need::Browser],
        GoesOn,
        |world| Box::pin(outside::browser(world)),
    ),
    ("a WebSocket and a large upload over TLS", &[], GoesOn, |world| {
        Box::pin(outside::upload(world))
    }),
    (
        "Gateway API: web by HTTPRoute, API by TCPRoute",
        &[Need::Gateway],
        GoesOn,
        |world| Box::pin(outside::gateway(world)),
    ),
    ("uninstall: volumes and Secrets stay", &[], Stops, |world| {
        Box::pin(install::uninstall(world))
    }),
    (
        "install again on them: same password, host, VM",
        &[],
        Stops,
        |world| Box::pin(install::again(world)),
    ),
    (
        "wrong database password: says why, recovers",
        &[],
        Stops,
        |world| Box::pin(database::wrong_password(world)),
    ),
    (
        "oneadmin's password rotated: good, nothing restarted",
        &[],
        Stops,
        |world| Box::pin(rotation::oneadmin_password(world)),
    ),
    (
        "a load balancer's address is found and told",
        &[],
        GoesOn,
        |world| Box::pin(changes::balancer(world)),
    ),
    (
        "maintenance: volumes, no services, and back",
        &[],
        Stops,
        |world| Box::pin(changes::maintenance(world)),
    ),
    (
        "wrong settings: exit 64, all named, mended",
        &[],
        Stops,
        |world| Box::pin(mistakes::named_and_mended(world)),
    ),
    (
        "database lost and back: same container, same oned",
        &[],
        Stops,
        |world| Box::pin(database::lost_and_back(world)),
    ),
    (
        "no database at the start: waits, starts by itself",
        &[],
        Stops,
        |world| Box::pin(database::absent_at_start(world)),
    ),
    (
        "no password in logs, ConfigMaps, pods, at the end",
        &[],
        GoesOn,
        |world| Box::pin(install::secrecy(world)),
    ),
    (
        "uninstall, namespace deleted: nothing is left",
        &[],
        Stops,
        |world| Box::pin(install::clean(world)),
    ),
];

/// Those without an install by Helm, in a namespace of their own.
const RENDERED_STEPS: &[Step] = &[
    (
        "every manifest of every file in ci/: API server",
        &[Need::Definitions],
        GoesOn,
        |world| Box::pin(manifests::judged(world)),
    ),
    ("rendered and applied without hooks: ready", &[], Stops, |world| {
        Box::pin(gitops::apply(world))
    }),
    ("applied again: same Secrets, same pod", &[], GoesOn, |world| {
        Box::pin(gitops::again(world))
    }),
    ("rendered: namespace deleted", &[], Stops, |world| {
        Box::pin(install::clean(world))
    }),
    (
        "the values of the chart 0.2.6: install, login",
        &[],
        GoesOn,
        |world| Box::pin(values::earlier(world)),
    ),
    (
        "as a dependency of another chart: helm test",
        &[],
        GoesOn,
        |world| Box::pin(values::inside(world)),
    ),
];

/// Those of a second install, with Helm 3.
const HELM3_STEPS: &[Step] = &[
    (
        "Helm 3: install with no values, every pod ready",
        &[],
        Stops,
        |world| Box::pin(install::install(world)),
    ),
    ("Helm 3: helm test", &[], GoesOn, |world| {
        Box::pin(install::test(world))
    }),
    ("Helm 3: pyone logs in", &[], GoesOn, |world| {
        Box::pin(api::login(world))
    }),
    ("Helm 3: uninstall, namespace deleted", &[], Stops, |world| {
        Box::pin(install::clean(world))
    }),
];

/// With the last published chart first. Where it stops being the chart, the upgrade begins.
const FROM_STEPS: &[Step] = &[
    ("last release: install, every pod ready", &[], Stops, |world| {
        Box::pin(from::install(world))
    }),
    ("last release: pyone logs in", &[], GoesOn, |world| {
        Box::pin(api::login(world))
    }),
    ("last release: drivers for tests by values", &[], Stops, |world| {
        Box::pin(upgrade::add_drivers(world))
    }),
    ("last release: a dummy host, a VM: RUNNING", &[], Stops, |world| {
        Box::pin(api::create(world))
    }),
];

/// With this chart, on what those left.
const TO_STEPS: &[Step] = &[
    (
        "upgrade from the last release: host and VM still there",
        &[],
        Stops,
        |world| Box::pin(from::upgrade(world)),
    ),
    ("upgraded: helm test", &[], GoesOn, |world| {
        Box::pin(install::test(world))
    }),
    (
        "upgraded: no password in logs, ConfigMaps, pods",
        &[],
        GoesOn,
        |world| Box::pin(install::secrecy(world)),
    ),
    ("upgraded: uninstall, namespace deleted", &[], Stops, |world| {
        Box::pin(install::clean(world))
    }),
];

/// Plays everything. An error says why it could not begin; a step that fails is in the report.
pub(crate) async fn play(settings: &Settings) -> Result<Report> {
    let cluster = Cluster::connect(&settings.kubeconfig, &settings.namespace).await?;
    let kubernetes = cluster.version().await?;
    let chart = settings
        .chart
        .canonicalize()
        .with_context(|| format!("no chart in {}", settings.chart.display()))?;
    let helm = Helm::new(&settings.helm, &settings.kubeconfig, cluster.namespace(), &chart);
    let version = helm.version().await.context("Helm cannot be used (--helm)")?;
    let python = Python::prepare(&settings.python, &settings.venv).await?;
    let ingress = match settings.ingress {
        Some(address) => address,
        None => cluster.node_port(world::INGRESS_NODE_PORT).await?,
    };

    let title = format!(
        "Kubernetes {kubernetes}, Helm {version}, chart {}",
        chart.display()
    );
    say(&title);
    let mut report = Report::new(title);
    let mut world = World::new(
        cluster.clone(),
        helm,
        python.clone(),
        ingress,
        settings.ingress_class.clone(),
    );
    world.pictures.clone_from(&settings.pictures);
    run(&mut report, STEPS, &mut world, settings).await;
    let rendered = cluster.in_namespace(format!("{}-rendered", cluster.namespace()));
    let helm = Helm::new(&settings.helm, &settings.kubeconfig, rendered.namespace(), &chart);
    let mut world = World::new(
        rendered,
        helm,
        python.clone(),
        ingress,
        settings.ingress_class.clone(),
    );
    run(&mut report, RENDERED_STEPS, &mut world, settings).await;
    if let Some(helm3) = &settings.helm3 {
        let cluster = cluster.in_namespace(format!("{}-helm3", cluster.namespace()));
        let helm = Helm::new(helm3, &settings.kubeconfig, cluster.namespace(), &chart);
        say(&format!(
            "Helm {}",
            helm.version().await.context("Helm 3 cannot be used (--helm3)")?
        ));
        let mut world = World::new(
            cluster,
            helm,
            python.clone(),
            ingress,
            settings.ingress_class.clone(),
        );
        run(&mut report, HELM3_STEPS, &mut world, settings).await;
    }
    // The last, because it makes the node's image of the release's tag the published one.
    if let Some(from) = &settings.from {
        let cluster = cluster.in_namespace(format!("{}-from", cluster.namespace()));
        let helm = Helm::new(&settings.helm, &settings.kubeconfig, cluster.namespace(), &chart);
        let mut world = World::new(
            cluster,
            helm.with_chart(from),
            python,
            ingress,
            settings.ingress_class.clone(),
        );
        if run(&mut report, FROM_STEPS, &mut world, settings).await {
            world.helm = helm;
            run(&mut report, TO_STEPS, &mut world, settings).await;
        }
    }
    Ok(report)
}

/// Runs the steps, but none behind one that failed and is relied on; true when none failed. What is left behind then is shown,
/// and removed unless it shall be kept.
async fn run(report: &mut Report, steps: &[Step], world: &mut World, settings: &Settings) -> bool {
    let mut failed = false;
    let mut stopped_by = None;
    for (name, needs, rest, step) in steps {
        if let Some(cause) = stopped_by {
            say(&format!("---- {name}: not run, because \"{cause}\" failed"));
            report.add(name, Duration::ZERO, Outcome::NotRun(cause));
            continue;
        }
        if let Some(why) = missing(needs, world, settings.lacks.as_deref()).await {
            say(&format!("---- {name}: not possible here: {why}"));
            report.add(name, Duration::ZERO, Outcome::NotPossible(why));
            continue;
        }
        say(&format!("---- {name}"));
        let start = Instant::now();
        let result = step(world).await;
        let took = start.elapsed();
        let outcome = match result {
            Ok(what) => Outcome::Passed(what),
            Err(error) => {
                failed = true;
                if *rest == Stops {
                    stopped_by = Some(*name);
                }
                world.learn_secrets().await;
                let why = world.needles.redact(&format!("{error:#}"));
                say(&format!("     FAILED after {:.1} s: {why}", took.as_secs_f64()));
                diagnostics::print(&world.cluster, &world.needles).await;
                Outcome::Failed(why)
            }
        };
        if let Outcome::Passed(what) = &outcome {
            say(&format!("     passed in {:.1} s: {what}", took.as_secs_f64()));
        }
        report.add(name, took, outcome);
    }
    if failed && settings.keep {
        say(&format!("     namespace {} is kept", world.cluster.namespace()));
    } else if failed && let Err(error) = install::clean(world).await {
        say(&format!("     cleaning up: {error:#}"));
    }
    !failed
}

/// The first of a step's needs that is missing. What cannot be asked for is looked for by the step itself, which then says why.
async fn missing(needs: &[Need], world: &World, lacks: Option<&[Need]>) -> Option<&'static str> {
    for need in needs {
        if let Ok(Some(why)) = need.missing(world.cluster.client(), lacks).await {
            return Some(why);
        }
    }
    None
}
