//! Whether tasks and notifications fit the plugins that will run and deliver them, as far as these say when they are saved.

use super::{Registry, RegistryError};
use crate::domain::faults::Faults;
use crate::domain::ids::ProjectId;
use crate::domain::notification::Notification;
use crate::domain::references;
use crate::domain::task::Task;
use crate::plugins::{Kind, Manifest};
use serde_json::Map;
use std::collections::HashMap;

impl Registry {
    /// What is wrong with the parameters of tasks in a list that stands at `path`. Tasks of a component that nothing
    /// answers to yet are fine.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn check_tasks(
        &self,
        project: ProjectId,
        tasks: &[Task],
        path: &str,
    ) -> Result<Faults, RegistryError> {
        let mut faults = Faults::default();
        let mut manifests: HashMap<&str, Option<Manifest>> = HashMap::new();
        for (at, task) in tasks.iter().enumerate() {
            let Some(component) = task.component.as_deref() else {
                continue;
            };
            if !manifests.contains_key(component) {
                manifests.insert(component, self.manifest_of(project, component).await?);
            }
            if let Some(Some(manifest)) = manifests.get(component) {
                let path = format!("{path}[{at}].actionParameters");
                let parameters = &task.action_parameters;
                manifest.check_parameters(parameters, &path, &mut faults);
                // Looked at again when the task begins.
                faults.forget_at(&references::places(parameters, &path));
            }
        }
        Ok(faults)
    }

    /// What is wrong with the configurations of notifications in a list that stands at `path`. Those of a plugin that the
    /// project does not have yet are fine.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn check_notifications(
        &self,
        project: ProjectId,
        notifications: &[Notification],
        path: &str,
    ) -> Result<Faults, RegistryError> {
        let mut faults = Faults::default();
        let none = Map::new();
        let mut manifests: HashMap<&str, Option<Manifest>> = HashMap::new();
        for (at, notification) in notifications.iter().enumerate() {
            let Some(id) = notification.plugin.as_deref() else {
                continue;
            };
            if !manifests.contains_key(id) {
                manifests.insert(
                    id,
                    self.manifest_of_plugin(project, id, Kind::Delivery).await?,
                );
            }
            if let Some(Some(manifest)) = manifests.get(id) {
                let config = notification.config.as_ref().unwrap_or(&none);
                let path = format!("{path}[{at}].config");
                manifest.check_config(config, &path, &mut faults);
            }
        }
        Ok(faults)
    }

    /// Of the plugin that new runs of the component get, or will once it is granted what it asks for.
    async fn manifest_of(
        &self,
        project: ProjectId,
        component: &str,
    ) -> Result<Option<Manifest>, RegistryError> {
        let entry = self.store.read_component(project, component).await?;
        let id = entry.map_or_else(|| component.to_owned(), |entry| entry.plugin);
        self.manifest_of_plugin(project, &id, Kind::Task).await
    }

    async fn manifest_of_plugin(
        &self,
        project: ProjectId,
        id: &str,
        kind: Kind,
    ) -> Result<Option<Manifest>, RegistryError> {
        let plugin = self.show(project, id).await?;
        let plugin = plugin.filter(|plugin| plugin.kind == kind);
        Ok(plugin.and_then(|plugin| plugin.current().map(|version| version.manifest.clone())))
    }
}
