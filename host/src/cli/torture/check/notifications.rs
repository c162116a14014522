//! What was promised to be told, against its records and against what the mail server saw.

use super::super::evidence::Evidence;
use super::{Broken, Findings};
use crate::domain::delivery::DeliveryStatus;
use crate::domain::ids::JobId;
use crate::domain::job::Status;
use crate::domain::notification::Channel;
use std::collections::{BTreeMap, BTreeSet};

/// Each failed job told everybody who wanted to know, once in the records and at least once by mail.
pub(super) fn check_notifications(evidence: &Evidence, findings: &mut Findings) {
    let mut promised: BTreeSet<(JobId, String)> = BTreeSet::new();
    for job in evidence
        .kept
        .jobs
        .iter()
        .filter(|job| job.status == Status::Error)
    {
        let subscriptions = &job.revision.notifications;
        let addresses: Vec<_> = if job.notifications_emails.is_empty() {
            let errors = subscriptions
                .iter()
                .filter(|one| one.channel == Channel::Error);
            errors.filter_map(|one| one.email.clone()).collect()
        } else {
            job.notifications_emails.clone()
        };
        promised.extend(addresses.into_iter().map(|address| (job.id, address)));
    }
    let mails: BTreeMap<_, BTreeSet<_>> =
        evidence
            .mails
            .iter()
            .fold(BTreeMap::new(), |mut all, mail| {
                let delivery = mail
                    .message_id
                    .split('.')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                all.entry(delivery)
                    .or_insert_with(BTreeSet::new)
                    .insert(mail.to.clone());
                all
            });
    let mut recorded = BTreeSet::new();
    for delivery in &evidence.kept.deliveries {
        let (id, job, address) = (delivery.id, delivery.job_id, &delivery.target.email);
        let key = (job, address.clone());
        if !promised.contains(&key) {
            findings.add(
                Broken::NotificationDoubled,
                format!("delivery {id} of job {job} was promised to nobody"),
            );
        } else if !recorded.insert(key) {
            findings.add(
                Broken::NotificationDoubled,
                format!("delivery {id} of job {job} is recorded again"),
            );
        }
        match delivery.status {
            DeliveryStatus::Pending => findings.add(
                Broken::LeftOver,
                format!("delivery {id} of job {job} is pending"),
            ),
            DeliveryStatus::Failed | DeliveryStatus::Disabled => {
                findings.add(
                    Broken::NotificationLost,
                    format!("delivery {id} of job {job} was given up"),
                );
            }
            DeliveryStatus::Delivered => {
                let seen = mails.get(&format!("delivery-{id}"));
                if !seen.is_some_and(|to| to.len() == 1 && to.contains(address)) {
                    let what = format!(
                        "delivery {id} of job {job} to {address}: the mail server saw {seen:?}"
                    );
                    findings.add(Broken::NotificationLost, what);
                }
            }
        }
    }
    for (job, address) in promised.difference(&recorded) {
        findings.add(
            Broken::NotificationLost,
            format!("job {job} failed and {address} was not told"),
        );
    }
}
