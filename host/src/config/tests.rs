//! Which settings win, which are refused, and in what words.

use super::*;

fn refusal(settings: Settings) -> String {
    settings.check().unwrap_err().to_string()
}

fn given() -> Settings {
    Settings::default()
}

fn roles(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn nothing_has_to_be_configured() {
    let config = given().check().unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database_url, "sqlite://data/orchestrator.sqlite");
    assert_eq!(config.components_url, "https://syrup.keboola.com");
    assert_eq!((config.workers, config.project_workers), (64, 32));
    assert_eq!(config.roles, Roles::all());
}

#[test]
fn a_role_is_left_out_only_where_others_can_have_it() {
    let of = |names: &[&str], database_url: Option<&str>| {
        let settings = Settings {
            roles: roles(names),
            database_url: database_url.map(str::to_owned),
            ..given()
        };
        let roles = settings.check().map(|config| config.roles.to_string());
        roles.map_err(|error| error.to_string())
    };
    let shared = Some("postgres://host/database");
    assert_eq!(
        of(&[" runner", "notifier"], shared).unwrap(),
        "runner,notifier"
    );
    let all = ["api", "scheduler", "runner", "notifier"];
    assert_eq!(of(&all, None).unwrap(), all.join(","));
    let refused = of(&all[..3], Some("sqlite://elsewhere.sqlite")).unwrap_err();
    assert!(refused.ends_with("its notifier"), "{refused}");
    let empty: Settings = toml::from_str("roles = []").unwrap();
    assert!(refusal(empty).starts_with("roles must name one"));
}

#[test]
fn what_a_flag_says_counts_before_the_file() {
    let file: Settings =
        toml::from_str("workers = 5\nlisten = \"0.0.0.0:1\"\noutbound-allow = [\"127.0.0.1\"]")
            .unwrap();
    let flags = Settings {
        workers: Some(7),
        ..given()
    };
    let config = flags.or(file).check().unwrap();
    assert_eq!((config.workers, config.listen.port()), (7, 1));
    assert_eq!(config.outbound_allow.len(), 1);
}

#[test]
fn a_wrong_value_is_refused_by_the_name_of_its_setting() {
    let text = |text: &str| Some(text.to_owned());
    let refusals = [
        refusal(Settings {
            listen: text("8080"),
            ..given()
        }),
        refusal(Settings {
            workers: Some(0),
            ..given()
        }),
        refusal(Settings {
            public_url: text("ftp://x"),
            ..given()
        }),
        refusal(Settings {
            components_url: text("http://x"),
            ..given()
        }),
        refusal(Settings {
            smtp_url: text("mail.example.com"),
            ..given()
        }),
        refusal(Settings {
            mail_from: text("nobody"),
            ..given()
        }),
        refusal(Settings {
            outbound_allow: vec!["127.0.0.1/99".into()],
            ..given()
        }),
        refusal(Settings {
            outbound_ca: Some("/no/such/file".into()),
            ..given()
        }),
        refusal(Settings {
            trusted_proxies: vec!["proxy".into()],
            ..given()
        }),
        refusal(Settings {
            database_url: text("mysql://x"),
            ..given()
        }),
        refusal(Settings {
            smtp_url: text("smtp://"),
            ..given()
        }),
        refusal(Settings {
            master_key: text("abab"),
            ..given()
        }),
        refusal(Settings {
            log: text("a=b=c"),
            ..given()
        }),
        refusal(Settings {
            roles: roles(&["api", "everything"]),
            ..given()
        }),
        refusal(Settings {
            roles: roles(&[""]),
            ..given()
        }),
        refusal(Settings {
            roles: roles(&["api", "scheduler", "notifier"]),
            ..given()
        }),
        refusal(Settings {
            master_token: text("short"),
            ..given()
        }),
    ];
    let names = [
        "listen",
        "workers",
        "public-url",
        "components-url",
        "smtp-url",
        "mail-from",
        "outbound-allow",
        "outbound-ca",
        "trusted-proxies",
        "database-url",
        "smtp-url",
        "master-key",
        "log",
        "roles",
        "roles",
        "roles",
        "master-token",
    ];
    for (refusal, name) in refusals.iter().zip(names) {
        assert!(refusal.starts_with(name), "{refusal}");
    }
}

#[test]
fn a_file_with_an_unknown_setting_is_refused() {
    let error = toml::from_str::<Settings>("wokers = 5")
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("wokers") && error.contains("workers"),
        "{error}"
    );
}

#[test]
fn base_addresses_lose_their_trailing_slash_and_keep_their_path() {
    let settings = Settings {
        public_url: Some("https://example.com/orchestrator/".into()),
        ..given()
    };
    let config = settings.check().unwrap();
    assert_eq!(
        config.public_url.as_deref(),
        Some("https://example.com/orchestrator")
    );
}

#[test]
fn an_authority_that_does_not_decode_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let refused = |text: &str| {
        fs::write(&path, text).unwrap();
        refusal(Settings {
            outbound_ca: Some(path.clone()),
            ..given()
        })
    };
    let empty = refused("no PEM at all");
    let malformed = refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");

    assert!(
        empty.starts_with("outbound-ca holds no PEM certificate"),
        "{empty}"
    );
    assert!(
        malformed.starts_with("outbound-ca holds what is no certificate"),
        "{malformed}"
    );
}

#[test]
fn what_is_wrong_with_a_file_is_told_without_quoting_it() {
    let refused = |text| parse_file(text).err().unwrap();
    let unfinished = refused("workers = 5\nsmtp-url = \"smtp://me:hunter2@mail.example\n");
    let wrong_type = refused("master-key = [\"hunter2\"]");

    assert!(unfinished.starts_with("line 2: "), "{unfinished}");
    assert!(wrong_type.starts_with("line 1: "), "{wrong_type}");
    assert!(!unfinished.contains("hunter2") && !wrong_type.contains("hunter2"));
}

#[test]
fn every_flag_has_its_name_in_the_environment_and_tells_its_default() {
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }
    let command = <Arguments as clap::CommandFactory>::command();
    for argument in command.get_arguments() {
        let Some(flag) = argument.get_long() else {
            continue;
        };
        if matches!(flag, "help" | "version") {
            continue;
        }
        let name = format!("ORCHESTRATOR_{}", flag.to_uppercase().replace('-', "_"));
        assert_eq!(
            argument.get_env().and_then(|name| name.to_str()),
            Some(name.as_str())
        );
        let help = argument.get_help().unwrap().to_string();
        assert!(flag == "config" || help.contains("[default: "), "{flag}");
    }
}
