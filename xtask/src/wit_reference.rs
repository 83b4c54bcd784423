//! `cargo xtask wit-reference`: `docs/wit-reference.md`, the contract for readers, made of `wit/` and its comments.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use wit_parser::{
    Docs, Function, Handle, Interface, Resolve, Type, TypeDef, TypeDefKind, TypeOwner, World,
    WorldItem,
};

use crate::chores::root;

/// The version that is shown.
const CONTRACT: &str = "wit/0.1";
/// Where it is written.
const PAGE: &str = "docs/wit-reference.md";

/// How to go about it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write nothing; fail if the page is not what it should be.
    #[arg(long)]
    check: bool,
}

/// Writes the page, or looks whether it is up to date.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let root = root()?;
    let (text, path) = (page(root)?, root.join(PAGE));
    if arguments.check {
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        if found != text {
            bail!("{PAGE} is not what {CONTRACT} says: run `cargo xtask wit-reference`");
        }
        println!("{PAGE} is up to date");
        return Ok(());
    }
    std::fs::write(&path, text)?;
    println!("{}", path.display());
    Ok(())
}

/// The whole page.
fn page(root: &Path) -> anyhow::Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root.join(CONTRACT))?;
    let package = resolve.packages.get(package).context("no package")?;
    let mut out = format!(
        "# The contract: {}\n\nMade of `{CONTRACT}` by `cargo xtask wit-reference`; change it there. In which order to read it is said in \
         [wit/README.md](../wit/README.md), what a connector must do in [connector-spec.md](connector-spec.md).\n\n",
        package.name
    );
    let interfaces: Vec<(&String, &Interface)> = package
        .interfaces
        .iter()
        .filter_map(|(name, id)| Some((name, resolve.interfaces.get(*id)?)))
        .collect();
    let worlds: Vec<(&String, &World)> = package
        .worlds
        .iter()
        .filter_map(|(name, id)| Some((name, resolve.worlds.get(*id)?)))
        .collect();
    for (name, _) in &worlds {
        let _ = writeln!(out, "- world [`{name}`](#world-{name})");
    }
    for (name, _) in &interfaces {
        let _ = writeln!(out, "- interface [`{name}`](#interface-{name})");
    }
    for (name, world) in worlds {
        let _ = writeln!(out, "\n## World `{name}`\n");
        prose(&mut out, &world.docs);
        for (title, items) in [("Imports", &world.imports), ("Exports", &world.exports)] {
            let names: Vec<String> = items
                .values()
                .filter_map(|item| match item {
                    WorldItem::Interface { id, .. } => resolve.interfaces.get(*id)?.name.clone(),
                    _ => None,
                })
                .map(|name| format!("[`{name}`](#interface-{name})"))
                .collect();
            if !names.is_empty() {
                let _ = writeln!(out, "{title}: {}.\n", names.join(", "));
            }
        }
    }
    for (name, interface) in interfaces {
        let _ = writeln!(out, "\n## Interface `{name}`\n");
        prose(&mut out, &interface.docs);
        for (name, id) in &interface.types {
            let def = resolve
                .types
                .get(*id)
                .context("a type without a definition")?;
            // What is only named here is defined elsewhere.
            if is_alias(&resolve, def) {
                continue;
            }
            type_of(&mut out, &resolve, name, def);
            for function in interface.functions.values() {
                if function.kind.resource() == Some(*id) {
                    function_of(&mut out, &resolve, function);
                }
            }
        }
        for function in interface.functions.values() {
            if function.kind.resource().is_none() {
                function_of(&mut out, &resolve, function);
            }
        }
    }
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    Ok(out)
}

fn is_alias(resolve: &Resolve, def: &TypeDef) -> bool {
    let TypeDefKind::Type(Type::Id(id)) = &def.kind else {
        return false;
    };
    let of = |def: &TypeDef| match def.owner {
        TypeOwner::Interface(id) => Some(id),
        _ => None,
    };
    resolve
        .types
        .get(*id)
        .is_some_and(|other| of(other) != of(def) && other.name == def.name)
}

fn prose(out: &mut String, docs: &Docs) {
    if let Some(text) = &docs.contents {
        let _ = writeln!(out, "{}\n", escaped(text.trim()));
    }
}

/// A comment's angle brackets are text, unless they are within code.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(n, part)| match n % 2 {
        0 => part.replace('<', "&lt;"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}

/// On one line, for a table.
fn line(docs: &Docs) -> String {
    let text = docs.contents.as_deref().unwrap_or_default();
    escaped(&text.split_whitespace().collect::<Vec<_>>().join(" ")).replace('|', "\\|")
}

fn type_of(out: &mut String, resolve: &Resolve, name: &str, def: &TypeDef) {
    let (what, rows): (String, Vec<(String, String)>) = match &def.kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter();
            let row = |field: &wit_parser::Field| {
                let of = format!("`{}`: {}", field.name, named(resolve, &field.ty));
                (of, line(&field.docs))
            };
            ("record".into(), fields.map(row).collect())
        }
        TypeDefKind::Variant(variant) => {
            let row = |case: &wit_parser::Case| {
                let of = match &case.ty {
                    Some(ty) => format!("`{}`({})", case.name, named(resolve, ty)),
                    None => format!("`{}`", case.name),
                };
                (of, line(&case.docs))
            };
            ("variant".into(), variant.cases.iter().map(row).collect())
        }
        TypeDefKind::Enum(cases) => {
            let row = |case: &wit_parser::EnumCase| (format!("`{}`", case.name), line(&case.docs));
            ("enum".into(), cases.cases.iter().map(row).collect())
        }
        TypeDefKind::Flags(flags) => {
            let row = |flag: &wit_parser::Flag| (format!("`{}`", flag.name), line(&flag.docs));
            ("flags".into(), flags.flags.iter().map(row).collect())
        }
        TypeDefKind::Resource => ("resource".into(), vec![]),
        kind => {
            let _ = writeln!(out, "### type `{name}` = `{}`\n", kind_of(resolve, kind));
            return prose(out, &def.docs);
        }
    };
    let _ = writeln!(out, "### {what} `{name}`\n");
    prose(out, &def.docs);
    let bare = rows.iter().all(|(_, words)| words.is_empty());
    if bare && !rows.is_empty() {
        let names: Vec<String> = rows.into_iter().map(|(of, _)| of).collect();
        let _ = writeln!(out, "{}\n", names.join(", "));
    } else if !rows.is_empty() {
        let _ = writeln!(out, "| | |\n| --- | --- |");
        for (of, words) in rows {
            let _ = writeln!(out, "| {} | {words} |", of.replace('|', "\\|"));
        }
        out.push('\n');
    }
}

fn function_of(out: &mut String, resolve: &Resolve, function: &Function) {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, plain(resolve, &param.ty)))
        .collect();
    let result = match &function.result {
        Some(ty) => format!(" -> {}", plain(resolve, ty)),
        None => String::new(),
    };
    let is_async = function.kind.is_async();
    let word = if is_async { "async func" } else { "func" };
    let _ = writeln!(
        out,
        "### {word} `{}`\n\n```wit\n{}: {word}({}){result}\n```\n",
        function.item_name(),
        function.item_name(),
        params.join(", ")
    );
    prose(out, &function.docs);
}

/// A type with its name linked, for prose.
fn named(resolve: &Resolve, ty: &Type) -> String {
    format!("`{}`", plain(resolve, ty))
}

/// A type as WIT writes it.
fn plain(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Bool => return "bool".into(),
        Type::U8 => return "u8".into(),
        Type::U16 => return "u16".into(),
        Type::U32 => return "u32".into(),
        Type::U64 => return "u64".into(),
        Type::S8 => return "s8".into(),
        Type::S16 => return "s16".into(),
        Type::S32 => return "s32".into(),
        Type::S64 => return "s64".into(),
        Type::F32 => return "f32".into(),
        Type::F64 => return "f64".into(),
        Type::Char => return "char".into(),
        Type::String => return "string".into(),
        Type::ErrorContext => return "error-context".into(),
        Type::Id(id) => *id,
    };
    match resolve.types.get(id) {
        Some(def) => match &def.name {
            Some(name) => name.clone(),
            None => kind_of(resolve, &def.kind),
        },
        None => "?".into(),
    }
}

fn kind_of(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let some = |ty: &Option<Type>| match ty {
        Some(ty) => plain(resolve, ty),
        None => "_".into(),
    };
    match kind {
        TypeDefKind::Option(ty) => format!("option<{}>", plain(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", plain(resolve, ty)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(|ty| plain(resolve, ty)).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".into(),
            (ok, None) => format!("result<{}>", some(ok)),
            (ok, err) => format!("result<{}, {}>", some(ok), some(err)),
        },
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
            let name = resolve.types.get(*id).and_then(|def| def.name.clone());
            let name = name.unwrap_or_default();
            match kind {
                TypeDefKind::Handle(Handle::Borrow(_)) => format!("borrow<{name}>"),
                _ => name,
            }
        }
        TypeDefKind::Stream(ty) => format!("stream<{}>", some(ty)),
        TypeDefKind::Future(ty) => format!("future<{}>", some(ty)),
        TypeDefKind::Type(ty) => plain(resolve, ty),
        other => other.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]
    use super::*;

    #[test]
    fn the_page_is_what_the_contract_says() {
        let root = root().unwrap();
        let found = std::fs::read_to_string(root.join(PAGE)).unwrap();
        assert!(
            found == page(root).unwrap(),
            "run `cargo xtask wit-reference`"
        );
    }
}
