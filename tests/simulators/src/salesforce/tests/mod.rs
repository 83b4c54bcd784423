//! Tests of the simulator, one behaviour each; the names say which.
//!
//! In-process, on a virtual clock; nothing here sleeps.

mod account;
mod bulk;
mod collections;
mod contract;
mod fields;
mod files;
mod mails;
mod queries;
mod records;
mod snapshot;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Config, Preexisting, Simulator};

/// An org and a client that is its integration user.
pub(super) struct Client {
    pub simulator: Simulator,
    pub token: String,
}

/// An answer, read.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub json: Value,
    pub bytes: Vec<u8>,
}

impl Reply {
    /// The value at a JSON pointer.
    pub fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }

    pub fn text(&self, pointer: &str) -> String {
        self.at(pointer)
            .as_str()
            .unwrap_or_else(|| panic!("no text at {pointer} in {}", self.json))
            .to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "{} {}",
            self.json,
            String::from_utf8_lossy(&self.bytes)
        );
        self
    }

    /// The code of the first error of a single-record call.
    pub fn code(&self) -> String {
        self.text("/0/errorCode")
    }

    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Client {
    /// The usual org.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The usual org, changed.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::virtual_time();
        change(&mut config);
        let simulator = Simulator::new(config);
        let token = simulator.admin_token();
        Self { simulator, token }
    }

    /// An org with nothing in it.
    pub fn empty() -> Self {
        Self::with(|config| config.preexisting = Preexisting::nothing())
    }

    pub fn wait(&self, seconds: i64) {
        self.simulator.harness().clock.advance(seconds * 1_000);
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.simulator.router().oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Reply {
            status,
            headers,
            json,
            bytes,
        }
    }

    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/services/data/v67.0/{path}")
        };
        Request::builder()
            .method(method)
            .uri(path.replace(' ', "%20"))
            .header("host", "acme.my.salesforce.com")
            .header("authorization", format!("Bearer {}", self.token))
    }

    pub async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Reply {
        let mut request = self.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = if body.is_null() {
            request.body(Body::empty())
        } else {
            request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string()))
        };
        self.send(request.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call_with("GET", path, &[], Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call_with("POST", path, &[], body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call_with("PATCH", path, &[], body).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call_with("DELETE", path, &[], Value::Null).await
    }

    /// A new record's id.
    pub async fn make(&self, object: &str, fields: Value) -> String {
        self.post(&format!("sobjects/{object}"), fields)
            .await
            .expect(201)
            .text("/id")
    }

    /// The records of a query.
    pub async fn query(&self, text: &str) -> Vec<Value> {
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let reply = self.get(&format!("query?q={query}")).await.expect(200);
        reply.at("/records").as_array().unwrap().clone()
    }

    pub async fn refused_query(&self, text: &str) -> String {
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        self.get(&format!("query?q={query}"))
            .await
            .expect(400)
            .code()
    }

    /// A SOAP call of the Metadata API; the body of the answer.
    pub async fn soap(&self, body: &str) -> Reply {
        let envelope = format!(
            "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:met=\"http://soap.sforce.com/2006/04/metadata\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Header><met:SessionHeader><met:sessionId>{}\
             </met:sessionId></met:SessionHeader></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>",
            self.token
        );
        let request = Request::post("/services/Soap/m/67.0")
            .header("host", "acme.my.salesforce.com")
            .header("content-type", "text/xml; charset=UTF-8")
            .header("soapaction", "\"\"")
            .body(Body::from(envelope));
        self.send(request.unwrap()).await
    }

    /// A field that everybody who has the permission set `Transload` can use.
    pub async fn field(&self, full: &str, metadata: Value) {
        self.post(
            "tooling/sobjects/CustomField",
            json!({"FullName": full, "Metadata": metadata}),
        )
        .await
        .expect(201);
        let (object, name) = full.split_once('.').unwrap();
        let set = self.permission_set().await;
        let carriers = if object == "Activity" {
            vec!["Task", "Event"]
        } else {
            vec![object]
        };
        for carrier in carriers {
            let body = json!({
                "ParentId": set, "SobjectType": carrier, "Field": format!("{carrier}.{name}"), "PermissionsRead": true,
                "PermissionsEdit": true,
            });
            self.make("FieldPermissions", body).await;
        }
    }

    /// The permission set of the migration, made at first and assigned.
    pub async fn permission_set(&self) -> String {
        let found = self
            .query("SELECT Id FROM PermissionSet WHERE Name = 'Transload'")
            .await;
        if let Some(row) = found.first() {
            return row["Id"].as_str().unwrap().to_owned();
        }
        let set = self
            .make(
                "PermissionSet",
                json!({"Name": "Transload", "Label": "Transload"}),
            )
            .await;
        let user = self.simulator.integration_user();
        self.make(
            "PermissionSetAssignment",
            json!({"PermissionSetId": set, "AssigneeId": user}),
        )
        .await;
        set
    }

    /// A unique external id on an object.
    pub async fn external_id(&self, object: &str) {
        let metadata = json!({
            "label": "Kustomer Id", "type": "Text", "length": 64, "externalId": true, "unique": true, "caseSensitive": true,
        });
        self.field(&format!("{object}.Kustomer_Id__c"), metadata)
            .await;
    }

    /// A custom object with permissions.
    pub async fn custom_object(&self, name: &str, fields: &str) {
        let body = format!(
            "<met:createMetadata><met:metadata xsi:type=\"met:CustomObject\"><met:fullName>{name}</met:fullName>\
             <met:label>Order</met:label><met:pluralLabel>Orders</met:pluralLabel><met:nameField><met:type>Text</met:type>\
             <met:label>Name</met:label></met:nameField><met:deploymentStatus>Deployed</met:deploymentStatus>\
             <met:sharingModel>ReadWrite</met:sharingModel>{fields}</met:metadata></met:createMetadata>"
        );
        let reply = self.soap(&body).await.expect(200);
        assert!(
            reply.body().contains("<success>true</success>"),
            "{}",
            reply.body()
        );
        let set = self.permission_set().await;
        let permissions = json!({
            "ParentId": set, "SobjectType": name, "PermissionsCreate": true, "PermissionsRead": true,
            "PermissionsEdit": true, "PermissionsDelete": true, "PermissionsViewAllRecords": true,
            "PermissionsModifyAllRecords": true,
        });
        self.make("ObjectPermissions", permissions).await;
    }
}
