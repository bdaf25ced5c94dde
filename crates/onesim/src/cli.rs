//! The command line tools: oneuser, onehost, onevm, onedatastore and the others that scripts call.
//!
//! Same names, arguments, exit codes (0, 255) and messages as far as scripts depend on them; tables have
//! fixed columns, and options that only change the look are not known.

use std::fs;
use std::path::PathBuf;

use crate::http;
use crate::oned::session::sha256;
use crate::rpc::{self, Call, Value};
use crate::xml::{self, Element};

mod tables;

/// Names under which this module answers.
pub(crate) const TOOLS: &[&str] = &[
    "oneuser",
    "onegroup",
    "onehost",
    "onecluster",
    "onedatastore",
    "onetemplate",
    "onevm",
    "onezone",
    "onevnet",
    "oneimage",
    "oneshowback",
    "oneacl",
];

/// A text for stderr; the exit code is 255.
type Failed = String;

struct Client {
    endpoint: String,
    session: String,
}

impl Client {
    /// Endpoint and session from where the real tools take them.
    fn from_environment() -> Result<Self, Failed> {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let one = home.join(".one");
        let file = std::env::var_os("ONE_AUTH").map_or_else(|| one.join("one_auth"), PathBuf::from);
        let session = fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.lines().next().map(str::to_owned))
            .ok_or("ONE_AUTH file not present")?;
        let endpoint = std::env::var("ONE_XMLRPC")
            .ok()
            .or_else(|| {
                fs::read_to_string(one.join("one_endpoint"))
                    .ok()
                    .map(|t| t.trim().to_owned())
            })
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "http://localhost:2633/RPC2".to_owned());
        Ok(Self { endpoint, session })
    }

    fn call(&self, method: &str, parameters: Vec<Value>) -> Result<Value, Failed> {
        let mut all = vec![Value::Text(self.session.clone())];
        all.extend(parameters);
        let body = Call {
            method: method.to_owned(),
            parameters: all,
        }
        .write();
        let answer = rpc::read_response(&http::post(&self.endpoint, &body)?)?;
        match answer {
            Value::Array(parts) => match (parts.first(), parts.get(1)) {
                (Some(Value::Bool(true)), Some(value)) => Ok(value.clone()),
                (_, Some(Value::Text(text))) => Err(text.clone()),
                _ => Err("malformed answer".to_owned()),
            },
            _ => Err("malformed answer".to_owned()),
        }
    }

    fn xml(&self, method: &str, parameters: Vec<Value>) -> Result<Element, Failed> {
        let value = self.call(method, parameters)?;
        value
            .text()
            .and_then(xml::parse)
            .ok_or_else(|| "malformed answer".to_owned())
    }
}

/// Positional arguments and options of a command.
struct Arguments {
    positional: Vec<String>,
    options: Vec<(String, String)>,
}

/// Options that take a value.
const WITH_VALUE: [&str; 18] = [
    "-i",
    "--im",
    "-v",
    "--vm",
    "-c",
    "--cluster",
    "--driver",
    "--name",
    "--cpu",
    "--memory",
    "-d",
    "--datastore",
    "-l",
    "--list",
    "--start_month",
    "--start_year",
    "--end_month",
    "--end_year",
];

impl Arguments {
    fn parse(given: &[String]) -> Self {
        let mut parsed = Self {
            positional: Vec::new(),
            options: Vec::new(),
        };
        let mut rest = given.iter();
        while let Some(argument) = rest.next() {
            if !argument.starts_with('-') || argument == "-" {
                parsed.positional.push(argument.clone());
            } else if let Some((name, value)) = argument.split_once('=') {
                parsed.options.push((name.to_owned(), value.to_owned()));
            } else if WITH_VALUE.contains(&argument.as_str()) {
                let value = rest.next().cloned().unwrap_or_default();
                parsed.options.push((argument.clone(), value));
            } else {
                parsed.options.push((argument.clone(), String::new()));
            }
        }
        parsed
    }

    fn option(&self, names: &[&str]) -> Option<&str> {
        self.options
            .iter()
            .find(|(n, _)| names.contains(&n.as_str()))
            .map(|(_, v)| v.as_str())
    }

    fn has(&self, names: &[&str]) -> bool {
        self.option(names).is_some()
    }

    fn at(&self, at: usize, what: &str) -> Result<&str, Failed> {
        self.positional
            .get(at)
            .map(String::as_str)
            .ok_or_else(|| format!("Command needs {what} as argument {}", at + 1))
    }
}

/// Runs a tool.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "command line tools")]
pub(crate) fn main(tool: &str, arguments: &[String]) -> u8 {
    let Some((command, rest)) = arguments.split_first() else {
        println!("## SYNOPSIS\n\n{tool} <command> [<args>] [<options>]");
        return 0;
    };
    if matches!(command.as_str(), "-V" | "--version") {
        println!("OpenNebula {}", crate::release::Release::installed().number());
        return 0;
    }
    let arguments = Arguments::parse(rest);
    match Client::from_environment().and_then(|client| run(&client, tool, command, &arguments)) {
        Ok(text) => {
            if !text.is_empty() {
                println!("{text}");
            }
            0
        }
        Err(why) => {
            eprintln!("{why}");
            255
        }
    }
}

fn run(client: &Client, tool: &str, command: &str, arguments: &Arguments) -> Result<String, Failed> {
    let resource = tool.strip_prefix("one").unwrap_or(tool);
    match (tool, command) {
        (_, "list") => tables::list(client, resource, arguments),
        ("oneuser", "show") if arguments.positional.is_empty() => show(client, "user", -1, arguments),
        (_, "show") => {
            let oid = id_of(client, resource, arguments.at(0, "an id or a name")?)?;
            show(client, resource, oid, arguments)
        }
        ("oneuser", "passwd") => passwd(client, arguments),
        ("oneuser", "create") => create_user(client, arguments),
        ("onehost", "create") => create_host(client, arguments),
        ("onehost", "enable" | "disable" | "offline") => {
            let oid = id_of(client, "host", arguments.at(0, "a host")?)?;
            let status = match command {
                "enable" => 0,
                "disable" => 1,
                _ => 2,
            };
            client
                .call("one.host.status", vec![Value::Int(oid), Value::Int(status)])
                .map(|_| String::new())
        }
        ("onevm", "create") => create_vm(client, arguments),
        (
            "onevm",
            "terminate" | "hold" | "release" | "poweroff" | "resume" | "suspend" | "stop" | "undeploy"
            | "reboot",
        ) => {
            let oid = id_of(client, "vm", arguments.at(0, "a VM")?)?;
            let action = if arguments.has(&["--hard"]) {
                format!("{command}-hard")
            } else {
                command.to_owned()
            };
            client
                .call("one.vm.action", vec![Value::Text(action), Value::Int(oid)])
                .map(|_| String::new())
        }
        ("onevm", "deploy") => {
            let vm = id_of(client, "vm", arguments.at(0, "a VM")?)?;
            let host = id_of(client, "host", arguments.at(1, "a host")?)?;
            let parameters = vec![
                Value::Int(vm),
                Value::Int(host),
                Value::Bool(false),
                Value::Int(-1),
                Value::Text(String::new()),
            ];
            client.call("one.vm.deploy", parameters).map(|_| String::new())
        }
        ("onetemplate", "instantiate") => {
            let oid = id_of(client, "template", arguments.at(0, "a template")?)?;
            let name = arguments.option(&["--name"]).unwrap_or_default();
            let parameters = vec![
                Value::Int(oid),
                Value::Text(name.to_owned()),
                Value::Bool(false),
                Value::Text(String::new()),
                Value::Bool(false),
            ];
            created("VM", &client.call("one.template.instantiate", parameters)?)
        }
        ("onetemplate", "create") => {
            let text = template_text(arguments, 0)?;
            created(
                "",
                &client.call("one.template.allocate", vec![Value::Text(text)])?,
            )
        }
        ("onedatastore", "create") => {
            let text = template_text(arguments, 0)?;
            created(
                "",
                &client.call("one.datastore.allocate", vec![Value::Text(text), Value::Int(-1)])?,
            )
        }
        (_, "update") => update(client, resource, arguments),
        ("oneuser" | "onehost" | "onedatastore" | "onetemplate", "delete") => {
            let oid = id_of(client, resource, arguments.at(0, "an id or a name")?)?;
            client
                .call(&format!("one.{resource}.delete"), vec![Value::Int(oid)])
                .map(|_| String::new())
        }
        ("oneshowback", "calculate") => {
            let year = |name: &str| {
                arguments
                    .option(&[name])
                    .and_then(|v| v.parse().ok())
                    .unwrap_or(-1)
            };
            let range = ["--start_month", "--start_year", "--end_month", "--end_year"];
            let parameters = range.iter().map(|name| Value::Int(year(name))).collect();
            client
                .call("one.vmpool.calculateshowback", parameters)
                .map(|_| String::new())
        }
        _ => Err(format!("Command {command} not found")),
    }
}

fn method_resource(resource: &str) -> &str {
    if resource == "vnet" { "vn" } else { resource }
}

/// The id of an object given by id or by name.
fn id_of(client: &Client, resource: &str, given: &str) -> Result<i64, Failed> {
    if let Ok(oid) = given.parse() {
        return Ok(oid);
    }
    let pool = tables::pool(client, resource)?;
    let found: Vec<&Element> = pool
        .children
        .iter()
        .filter(|o| o.text_at(&["NAME"]) == given)
        .collect();
    match found.as_slice() {
        [one] => one
            .number_at(&["ID"])
            .ok_or_else(|| "malformed answer".to_owned()),
        [] => Err(format!("{} named {given} not found.", resource.to_uppercase())),
        _ => Err(format!(
            "There are multiple {}s with name {given}.",
            resource.to_uppercase()
        )),
    }
}

fn show(client: &Client, resource: &str, oid: i64, arguments: &Arguments) -> Result<String, Failed> {
    let mut parameters = vec![Value::Int(oid)];
    if resource != "user" && resource != "group" {
        parameters.push(Value::Bool(false));
    }
    let method = format!("one.{}.info", method_resource(resource));
    let body = client.xml(&method, parameters)?;
    Ok(if arguments.has(&["-x", "--xml"]) {
        body.render()
    } else {
        tables::detail(resource, &body)
    })
}

fn passwd(client: &Client, arguments: &Arguments) -> Result<String, Failed> {
    let oid = id_of(client, "user", arguments.at(0, "a user")?)?;
    let given = arguments.at(1, "a password")?;
    let password = if arguments.has(&["--sha256"]) {
        sha256(given)
    } else {
        given.to_owned()
    };
    client
        .call("one.user.passwd", vec![Value::Int(oid), Value::Text(password)])
        .map(|_| String::new())
}

fn create_user(client: &Client, arguments: &Arguments) -> Result<String, Failed> {
    let driver = arguments.option(&["--driver"]).unwrap_or("core");
    let given = arguments.at(1, "a password")?;
    let password = if arguments.has(&["--sha256"]) {
        sha256(given)
    } else {
        given.to_owned()
    };
    let parameters = vec![
        Value::Text(arguments.at(0, "a user name")?.to_owned()),
        Value::Text(password),
        Value::Text(driver.to_owned()),
        Value::Array(Vec::new()),
    ];
    created("", &client.call("one.user.allocate", parameters)?)
}

fn create_host(client: &Client, arguments: &Arguments) -> Result<String, Failed> {
    let driver = |names: &[&str]| {
        arguments
            .option(names)
            .map(str::to_owned)
            .ok_or_else(|| "Drivers are mandatory to create a host: -i, -v".to_owned())
    };
    let cluster = match arguments.option(&["-c", "--cluster"]) {
        Some(given) => id_of(client, "cluster", given)?,
        None => -1,
    };
    let parameters = vec![
        Value::Text(arguments.at(0, "a host name")?.to_owned()),
        Value::Text(driver(&["-i", "--im"])?),
        Value::Text(driver(&["-v", "--vm"])?),
        Value::Int(cluster),
    ];
    created("", &client.call("one.host.allocate", parameters)?)
}

fn create_vm(client: &Client, arguments: &Arguments) -> Result<String, Failed> {
    let text = if let Some(file) = arguments.positional.first() {
        fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))?
    } else {
        let option = |name: &str| arguments.option(&[name]).unwrap_or_default().to_owned();
        format!(
            "NAME = \"{}\"\nCPU = {}\nMEMORY = {}\n",
            option("--name"),
            option("--cpu"),
            option("--memory")
        )
    };
    let hold = arguments.has(&["--hold"]);
    created(
        "",
        &client.call("one.vm.allocate", vec![Value::Text(text), Value::Bool(hold)])?,
    )
}

fn template_text(arguments: &Arguments, at: usize) -> Result<String, Failed> {
    let file = arguments.at(at, "a file")?;
    fs::read_to_string(file).map_err(|e| format!("{file}: {e}"))
}

fn update(client: &Client, resource: &str, arguments: &Arguments) -> Result<String, Failed> {
    let oid = id_of(client, resource, arguments.at(0, "an id or a name")?)?;
    let text = template_text(arguments, 1)?;
    let append = i64::from(arguments.has(&["-a", "--append"]));
    let method = format!("one.{}.update", method_resource(resource));
    client
        .call(
            &method,
            vec![Value::Int(oid), Value::Text(text), Value::Int(append)],
        )
        .map(|_| String::new())
}

fn created(what: &str, value: &Value) -> Result<String, Failed> {
    let oid = value.int().ok_or_else(|| "malformed answer".to_owned())?;
    Ok(if what.is_empty() {
        format!("ID: {oid}")
    } else {
        format!("{what} ID: {oid}")
    })
}
