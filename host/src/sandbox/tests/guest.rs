//! Connectors written as text: a core module by hand, made a component by the same tools that make ours.

use wit_component::{ComponentEncoder, StringEncoding};

/// Where a module's static data begins.
const BASE: usize = 1024;
/// Where what `cabi_realloc` gives begins: the first page is static.
const HEAP: usize = 1 << 16;

/// The parts of a source that differ between tests; the rest is as it should be.
pub struct Guest {
    /// Fields of the module beside the usual ones.
    pub more: String,
    /// Body of `cabi_realloc(old, old-size, align, new-size)`.
    pub realloc: String,
    /// Body of `describe`, which gives an address.
    pub describe: String,
    /// Body of `check`, whose first parameter is the address of the settings' text; gives an address.
    pub check: String,
    /// Pages of memory.
    pub pages: u32,
}

impl Default for Guest {
    fn default() -> Self {
        let (description, good) = (
            address(&Data::new().description),
            address(&Data::new().good),
        );
        Self {
            more: String::new(),
            realloc: "(local $at i32)
                (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
                (global.set $next (i32.add (local.get $at) (local.get 3)))
                (local.get $at)"
                .to_owned(),
            describe: format!("(i32.const {description})"),
            check: format!("(i32.const {good})"),
            pages: 2,
        }
    }
}

fn address(at: &usize) -> String {
    at.to_string()
}

/// Static data in the layout of the canonical ABI.
struct Data {
    bytes: Vec<u8>,
    /// Address of the answer of `describe`.
    description: usize,
    /// Address of an answer of `check` that is an error of the connector's own: `cancelled`.
    good: usize,
}

impl Data {
    fn new() -> Self {
        let mut data = Self {
            bytes: Vec::new(),
            description: 0,
            good: 0,
        };
        let list = |at: usize, length: u32| [u32::try_from(at).unwrap(), length];
        let (name, version) = (data.text("wat"), data.text("1.0.0"));
        let (title, schema, url) = (
            data.text("Wat"),
            data.text("{}"),
            data.text("https://a.example.com"),
        );
        let (scheme, template) = (data.text("key"), data.text("{secret:key}"));
        let (method, path) = (data.text("GET"), data.text("/**"));
        // An auth-scheme: name, title, `bearer` and its template, 14 words that other schemes would use, no note.
        let mut words = [scheme, scheme].concat();
        words.push(0);
        words.extend(template);
        words.resize(23, 0);
        let auth = data.words(&words);
        let request = data.words(&[method, path, [1, 0]].concat()[..5]);
        let mut words = [name, version, title].concat();
        words.push(0); // role: source
        words.extend(schema);
        words.extend(list(auth, 1));
        words.extend(url);
        words.extend([0, 0]); // hosts
        words.extend(list(request, 1));
        words.extend([0; 20]); // everything else is empty
        data.description = data.words(&words);
        let good = data.words(&[1, 0, 8, 0, 0, 0, 0, 0]);
        data.good = good;
        data
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let at = BASE + self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        at
    }

    fn text(&mut self, text: &str) -> [u32; 2] {
        let at = self.place(text.as_bytes());
        [at, text.len()].map(|n| u32::try_from(n).unwrap())
    }

    fn words(&mut self, words: &[u32]) -> usize {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.place(&bytes)
    }
}

impl Guest {
    /// The component.
    pub fn component(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.text()).unwrap();
        let mut resolve = wit_parser::Resolve::default();
        let (package, _) = resolve.push_dir("../wit/0.1").unwrap();
        let world = resolve
            .select_world(&[package], Some("source-connector"))
            .unwrap();
        let encoding = StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, encoding, false)
            .unwrap();
        let mut encoder = ComponentEncoder::default();
        let encoder = encoder.validate(true).module(&module).unwrap();
        encoder.encode().unwrap()
    }

    fn text(&self) -> String {
        let data = Data::new();
        assert!(data.bytes.len() < HEAP - BASE);
        let bytes: String = data.bytes.iter().map(|b| format!("\\{b:02x}")).collect();
        let (context, spilled) = ("(param i32) ".repeat(13), "(param i32)");
        let stub = |name: &str, params: &str| {
            format!(
                "(func (export \"transload:connector/source@0.1.0#{name}\") {params} (result i32) unreachable)"
            )
        };
        let stubs = [
            stub("discover", &context),
            stub("partitions", spilled),
            stub("read", spilled),
            stub("fetch", &"(param i32) ".repeat(15)),
            stub("open-attachment", spilled),
            stub("inventory", &context),
        ];
        format!(
            r#"(module
                (import "transload:connector/runtime@0.1.0" "log" (func $log (param i32 i32 i32)))
                (import "transload:connector/runtime@0.1.0" "sleep" (func $sleep (param i64)))
                (import "transload:connector/http@0.1.0" "send" (func $send (param i32 i32)))
                (import "transload:connector/blobs@0.1.0" "[constructor]builder"
                    (func $builder (param i32 i32) (result i32)))
                (import "transload:connector/blobs@0.1.0" "[method]builder.append"
                    (func $append (param i32 i32 i32)))
                (import "transload:connector/blobs@0.1.0" "read"
                    (func $read (param i32 i32 i64 i32 i32 i64 i32 i32)))
                (memory (export "memory") {pages})
                (global $next (mut i32) (i32.const {HEAP}))
                (data (i32.const {BASE}) "{bytes}")
                {more}
                (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
                (func (export "transload:connector/connector@0.1.0#describe") (result i32) {describe})
                (func (export "transload:connector/source@0.1.0#check") {context} (result i32) {check})
                {stubs}
            )"#,
            pages = self.pages,
            more = self.more,
            realloc = self.realloc,
            describe = self.describe,
            check = self.check,
            stubs = stubs.concat(),
        )
    }
}
