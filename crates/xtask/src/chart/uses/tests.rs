//! Small charts with one mistake each, and charts that are right in a way that is hard to follow.

use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::chart::{renamed, schema, values};

fn chart(name: &str, values: &str) -> Chart {
    Chart {
        folder: PathBuf::new(),
        shown: name.to_owned(),
        name: name.to_owned(),
        dependencies: BTreeSet::new(),
        conditions: Vec::new(),
        values: values::parse(&format!("{name}/values.yaml"), values).unwrap(),
        renamed: Vec::new(),
    }
}

/// What is found in charts, each with its template files.
fn of_charts(charts: Vec<(Chart, &[(&str, &str)])>) -> Vec<String> {
    let templates: Vec<Vec<Template>> = charts
        .iter()
        .map(|(_, files)| {
            files
                .iter()
                .map(|(name, text)| ((*name).to_owned(), parse(text).unwrap()))
                .collect()
        })
        .collect();
    let charts: Vec<Chart> = charts.into_iter().map(|(chart, _)| chart).collect();
    let config =
        json!({"type": "object", "additionalProperties": false, "properties": {"oned": {"type": "object"}}});
    let schemas: Vec<Value> = charts
        .iter()
        .map(|chart| schema::schema(chart, &charts, &config).unwrap())
        .collect();
    findings(&charts, &schemas, &templates)
        .iter()
        .map(Finding::to_string)
        .collect()
}

fn found(values: &str, template: &str) -> Vec<String> {
    of_charts(vec![(chart("app", values), &[("t", template)])])
}

#[track_caller]
fn clean(values: &str, template: &str) {
    assert_eq!(found(values, template), Vec::<String>::new(), "{template}");
}

const SERVICE: &str = "service:\n  type: x\n  # @schema {\"additionalProperties\": false, \"properties\": {\"type\": {\"type\": \"string\"}}}\n  api: {}\n  # @schema object\n  ui: {}\n";

#[test]
fn a_value_that_is_not_declared_is_named_with_its_place() {
    assert_eq!(
        found("a: 1\n", "\n{{ .Values.a }}\n{{ .Values.b.c }}"),
        ["t:3: b is used and not declared in values.yaml"]
    );
    assert_eq!(
        found("a:\n  b: 1\n", "{{ with .Values.a }}{{ .b }}{{ .c }}{{ end }}"),
        ["t:1: a.c is used and not declared in values.yaml"]
    );
    assert_eq!(
        found("a: 1\n", "{{ .Values.a.b }}"),
        [
            "app/values.yaml:1: a is declared and no template uses it",
            "t:1: a.b is used and not declared in values.yaml"
        ]
    );
}

#[test]
fn a_value_that_nothing_uses_is_named_with_its_line() {
    assert_eq!(
        found(
            "a: 1\nb:\n  c: 1\n  d: 2\n",
            "{{ .Values.a }}{{ if .Values.b }}{{ .Values.b.d }}{{ end }}"
        ),
        ["app/values.yaml:3: b.c is declared and no template uses it"]
    );
    // What a definition lets through counts as declared.
    assert_eq!(
        found(
            SERVICE,
            "{{ .Values.service.type }}{{ if .Values.service.api }}{{ end }}{{ toYaml .Values.service.ui }}"
        ),
        ["app/values.yaml:4: service.api.type is declared and no template uses it"]
    );
}

#[test]
fn a_map_that_is_rendered_uses_everything_in_it() {
    clean(
        "a:\n  b: 1\n  c:\n    d: 1\n",
        "{{ toYaml .Values.a | nindent 2 }}",
    );
    clean(
        "# @schema resources\na: {}\n",
        "{{ with .Values.a }}{{ toYaml . }}{{ end }}",
    );
}

#[test]
fn scopes_variables_and_the_root_are_followed() {
    clean(
        "a:\n  b: 1\nc: 2\nd: [x]\n",
        "{{ $root := . }}{{ $a := .Values.a }}{{ range $i, $x := .Values.d }}{{ $x }}{{ $a.b }}{{ $.Values.c }}{{ $root.Release.Name }}{{ end }}",
    );
    clean(
        "a: x\nb: y\n",
        "{{ $v := .Values.a }}{{ if .x }}{{ $v = .Values.b }}{{ end }}{{ $v }}",
    );
    clean("a:\n  b: x\n", "{{ (.Values.a | default dict).b }}");
    clean("a:\n  b: x\n", "{{ index .Values \"a\" \"b\" }}");
    clean("a:\n  b: x\n", "{{ dig \"a\" \"b\" \"\" .Values }}");
    // `else` has the dot of before.
    clean(
        "a: x\nb: y\n",
        "{{ with .Values.a }}{{ . }}{{ else }}{{ .Values.b }}{{ end }}",
    );
    clean(
        "a: x\nb: y\n",
        "{{ $d := dict }}{{ $_ := set $d \"k\" .Values.a }}{{ $_ := set $d \"l\" .Values.b }}{{ toYaml $d }}",
    );
}

#[test]
fn an_include_is_followed_with_what_it_is_given() {
    let helper = "{{ define \"svc\" }}{{ (get .root.Values.service .name).type | default .root.Values.service.type }}{{ end }}";
    let values = "service:\n  type: x\n  api:\n    type: y\n  ui:\n    type: z\n";
    clean(
        values,
        &format!(
            "{helper}{{{{ include \"svc\" (dict \"root\" . \"name\" \"api\") }}}}{{{{ range list \"ui\" }}}}{{{{ include \"svc\" (dict \"root\" $ \"name\" .) }}}}{{{{ end }}}}"
        ),
    );
    assert_eq!(
        found(
            values,
            &format!("{helper}{{{{ include \"svc\" (dict \"root\" . \"name\" \"api\") }}}}")
        ),
        ["app/values.yaml:6: service.ui.type is declared and no template uses it"]
    );
    assert_eq!(
        found(
            values,
            &format!(
                "{helper}{{{{ toYaml .Values.service }}}}{{{{ include \"svc\" (dict \"root\" . \"name\" \"gate\") }}}}"
            )
        ),
        ["t:1: service.gate is used and not declared in values.yaml"]
    );
}

#[test]
fn templates_that_are_not_there_or_not_used_are_named() {
    assert_eq!(
        found("a: 1\n", "{{ .Values.a }}\n{{ include \"x\" . }}"),
        ["t:2: no template is called x"]
    );
    assert_eq!(
        found(
            "a: 1\n",
            "{{ .Values.a }}\n{{ define \"x\" }}{{ .Values.b }}{{ end }}"
        ),
        ["t:2: the template x is not used, at least not by a name that can be followed: remove it"]
    );
    clean(
        "a: 1\n",
        "{{ .Values.a }}{{ define \"x-y\" }}{{ end }}{{ include (printf \"x-%s\" \"y\") . }}",
    );
}

#[test]
fn maps_are_ranged_over_and_taken_apart() {
    // One of the names leads to a value; which of them is for the render to see.
    clean(
        "a: 1\nb:\n  c: 2\n",
        "{{ range $name := list \"b\" \"x\" }}{{ (get $.Values $name).c }}{{ end }}{{ .Values.a }}",
    );
    let values = "a:\n  b: 1\n  c: 2\n";
    clean(
        values,
        "{{ range $name, $value := .Values.a }}{{ $name }}{{ $value }}{{ end }}",
    );
    clean(
        values,
        "{{ range $name, $_ := .Values.a }}{{ get $.Values.a $name }}{{ end }}",
    );
    assert_eq!(
        found(values, "{{ toYaml (omit .Values.a \"b\") }}"),
        ["app/values.yaml:2: a.b is declared and no template uses it"]
    );
    assert_eq!(
        found(values, "{{ toYaml (pick .Values.a \"b\") }}"),
        ["app/values.yaml:3: a.c is declared and no template uses it"]
    );
    assert_eq!(
        found(
            "a:\n  b: 1\n",
            "{{ if hasKey .Values.a \"c\" }}{{ .Values.a.b }}{{ end }}"
        ),
        ["t:1: a.c is used and not declared in values.yaml"]
    );
}

#[test]
fn names_that_are_not_known_need_a_comment() {
    let template =
        "{{ range (.Files.Get \"x\" | fromYamlArray) }}{{ if get $.Values .old }}{{ end }}{{ end }}";
    let unknown = found("a: 1\n", &format!("{{{{ .Values.a }}}}{template}"));
    assert_eq!(unknown.len(), 1);
    assert!(
        unknown[0].starts_with("t:1: reads values by names"),
        "{unknown:?}"
    );
    assert!(found("a: 1\n", "{{ toYaml .Values | sha256sum }}")[1].starts_with("t:1: reads values"));
    clean(
        "a: 1\n",
        &format!("{{{{/* @uses nothing */}}}}{{{{ .Values.a }}}}{template}"),
    );
    clean("a:\n  b: 1\n", &format!("{{{{/* @uses a.b */}}}}{template}"));
    clean(
        "a:\n  b: 1\n  c: 1\n",
        &format!("{{{{/* @uses a.* */}}}}{template}"),
    );
    assert_eq!(
        found("a: 1\n", "{{ .Values.a }}\n{{/* @uses b */}}"),
        ["t:2: b is used and not declared in values.yaml"]
    );
}

#[test]
fn old_names_may_be_used_and_need_not_be() {
    let mut app = chart("app", "a:\n  b: 1\n");
    app.renamed = renamed::parse("renamed.yaml", "- {old: a.x, new: a.b}\n- {old: y.z, why: gone}").unwrap();
    let used = "{{ .Values.a.b }}{{ .Values.a.x }}";
    assert_eq!(of_charts(vec![(app, &[("t", used)])]), Vec::<String>::new());
}

#[test]
fn a_chart_and_its_dependency_share_what_they_use() {
    let mut app = chart(
        "app",
        "global:\n  registry: x\ndb:\n  enabled: true\n  auth:\n    user: x\n  size: 1\n",
    );
    app.dependencies = ["db".to_owned()].into();
    app.conditions = vec!["db.enabled".to_owned()];
    let db = || chart("db", "auth:\n  user: x\n  key: y\n");
    let of_db = "{{ .Values.auth.user }}{{ (.Values.global | default dict).registry }}";
    let both = of_charts(vec![
        (
            app,
            &[("t", "{{ .Values.db.auth.key }}{{ .Values.db.auth.name }}")],
        ),
        (db(), &[("d", of_db)]),
    ]);
    assert_eq!(
        both,
        [
            "app/values.yaml:7: db.size is declared and no template uses it",
            "app/values.yaml:7: db.size is no value of the chart db",
            "t:1: db.auth.name is used and not declared in values.yaml",
        ]
    );
}
