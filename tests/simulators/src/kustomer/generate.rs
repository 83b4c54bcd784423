//! Making a world from a seed: who there is, what was said, and when.
//!
//! The shape follows real helpdesks: most threads are short, few are long, the recent years are busier than the first,
//! old conversations are done, some came by imports years after they happened, and one evening somebody edited many
//! records at once, so that they share one `updatedAt`. Extremes are few on purpose: one thread in twenty thousand is
//! of [`Shape::longest_thread`] messages, everything else stays below two hundred.

use super::custom::{KlassDef, klasses};
use super::draw::Draw;
use super::model::{Company, Conversation, Customer, KObject, Message, NONE, Note, User, flag};
use super::text;

const DAY: i64 = 86_400_000;
const HOUR: i64 = 3_600_000;

/// What the streams are for; a stream's purpose is part of its seed.
pub(super) mod purpose {
    pub const GENERATE: u64 = 100;
    pub const CONVERSATION_MAKE: u64 = 101;
    pub const CUSTOMER_MAKE: u64 = 102;
    pub const COMPANY_MAKE: u64 = 103;
    pub const KOBJECT_MAKE: u64 = 104;
    pub const USER_MAKE: u64 = 105;
    pub const NOTE_MAKE: u64 = 106;
    pub const RENDER: u64 = 200;
    pub const TEXT: u64 = 300;
    pub const CUSTOM: u64 = 400;
    pub const FILE: u64 = 500;
    pub const CONTENT: u64 = 600;
}

/// How big and how odd the world is.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Conversations.
    pub conversations: usize,
    /// Of everything else as little as there can be.
    pub few: bool,
    /// Messages of the longest threads.
    pub longest_thread: u32,
    /// Records of one kind that share one `updatedAt`, as far as the size allows: a quarter at most.
    pub ties: usize,
}

/// The records of a world, still without indexes.
pub(super) struct Records {
    pub users: Vec<User>,
    pub companies: Vec<Company>,
    pub customers: Vec<Customer>,
    pub conversations: Vec<Conversation>,
    pub messages: Vec<Message>,
    pub notes: Vec<Note>,
    pub kobjects: Vec<KObject>,
}

/// Makes everything. `now` is the moment the world is looked at first; nothing in it is younger than an hour.
pub(super) fn generate(seed: u64, shape: &Shape, now: i64) -> Records {
    let limit = now - HOUR;
    let size = shape.conversations;
    let [agents, firms, people, things] = if shape.few {
        [3, 1, 2, 2]
    } else {
        [
            (14 + size / 400).min(400),
            size / 20 + 4,
            (size * 3 / 5).max(12),
            size / 2 + 40,
        ]
    };
    let users = users(seed, agents, now);
    let companies = companies(seed, firms, now);
    let mut customers = customers(seed, people, companies.len(), now);
    let mut made = Threads::default();
    threads(seed, shape, now, &mut customers, &mut made);
    let Threads {
        mut conversations,
        mut messages,
        mut notes,
    } = made;
    loose_notes(seed, &customers, limit, &mut notes);
    let klasses = klasses(shape.few);
    let kobjects = kobjects(seed, things, klasses, &customers, companies.len(), now);

    // Bulk edits: many records of one kind on one `updatedAt` (Kustomer facts §13 item 3).
    let tie = |most: usize| shape.ties.min(most / 4);
    let evening = now - 200 * DAY + 41;
    let old = |created: i64, flags: u16| created < evening - DAY && flags & flag::DELETED == 0;
    let mut left = tie(conversations.len());
    for conversation in conversations.iter_mut().filter(|c| old(c.created, c.flags)) {
        if left > 0 && conversation.updated < evening && conversation.status == 2 {
            (conversation.updated, left) = (evening, left - 1);
        }
    }
    let mut left = tie(messages.len());
    for message in &mut messages {
        if left > 0 && message.updated < evening - 100 * DAY {
            (message.updated, left) = (evening - 100 * DAY, left - 1);
        }
    }
    let mut left = tie(customers.len());
    for customer in customers.iter_mut().filter(|c| old(c.created, c.flags)) {
        if left > 0 && customer.updated < evening {
            (customer.updated, left) = (evening + 50 * DAY, left - 1);
        }
    }
    for conversation in &mut conversations {
        conversation.updated = conversation.updated.min(limit);
    }
    Records {
        users,
        companies,
        customers,
        conversations,
        messages,
        notes,
        kobjects,
    }
}

fn users(seed: u64, count: usize, now: i64) -> Vec<User> {
    (0..count)
        .map(|number| {
            let mut draw = Draw::new(seed, purpose::USER_MAKE, number as u64);
            let name = format!(
                "{} {}",
                draw.pick(text::FIRST_NAMES),
                draw.pick(text::LAST_NAMES)
            );
            User {
                name,
                email: format!("agent{number}@acme.example"),
                kind: match number {
                    0 => "machine",
                    5 => "limited",
                    6 => "hourly",
                    _ => "user",
                },
                deleted: number % 7 == 4,
                pending: number % 13 == 12,
                created: now - 8 * 365 * DAY + number as i64 * HOUR,
            }
        })
        .collect()
}

fn companies(seed: u64, count: usize, now: i64) -> Vec<Company> {
    (0..count)
        .map(|number| {
            let mut draw = Draw::new(seed, purpose::COMPANY_MAKE, number as u64);
            let created = now - 8 * 365 * DAY + draw.between(0, 7 * 365 * DAY);
            Company {
                created,
                updated: (created + draw.between(0, 1500 * DAY)).min(now - 2 * HOUR),
                flags: if number % 31 == 17 { flag::DELETED } else { 0 },
            }
        })
        .collect()
}

fn customers(seed: u64, count: usize, companies: usize, now: i64) -> Vec<Customer> {
    let mut customers: Vec<Customer> = (0..count)
        .map(|number| {
            let mut draw = Draw::new(seed, purpose::CUSTOMER_MAKE, number as u64);
            let created = now - 8 * 365 * DAY + draw.between(0, 8 * 365 * DAY - 3 * DAY);
            let updated = (created + draw.between(0, 30 * DAY)).min(now - 2 * HOUR);
            let company = if draw.chance(300) {
                draw.below(companies as u64) as u32
            } else {
                NONE
            };
            let flags = if number % 41 == 9 { flag::DELETED } else { 0 };
            let rev = draw.between(1, 60) as u16;
            Customer {
                created,
                updated,
                company,
                merged_into: NONE,
                flags,
                rev,
            }
        })
        .collect();
    // Each 53rd was merged into the next one, which is neither deleted nor merged itself.
    for number in (7..count.saturating_sub(1)).step_by(53) {
        let survivor = number + 1;
        let alive = customers.get(survivor).is_some_and(|c| c.flags == 0);
        if let Some(customer) = customers.get_mut(number).filter(|c| alive && c.flags == 0) {
            customer.merged_into = survivor as u32;
            customer.flags = flag::MERGED;
        }
    }
    customers
}

#[derive(Default)]
struct Threads {
    conversations: Vec<Conversation>,
    messages: Vec<Message>,
    notes: Vec<Note>,
}

fn threads(seed: u64, shape: &Shape, now: i64, customers: &mut [Customer], made: &mut Threads) {
    let count = shape.conversations;
    let span = 8 * 365 * DAY;
    let mut draw = Draw::new(seed, purpose::GENERATE, 0);
    let mut begins: Vec<i64> = (0..count)
        .map(|_| {
            let share = (draw.below(1 << 52) as f64 / (1_u64 << 52) as f64).sqrt();
            now - span + (share * (span - 2 * HOUR) as f64) as i64
        })
        .collect();
    begins.sort_unstable();
    for (number, begin) in begins.into_iter().enumerate() {
        let mut draw = Draw::new(seed, purpose::CONVERSATION_MAKE, number as u64);
        thread(shape, now, number, begin, &mut draw, customers, made);
    }
}

#[allow(
    clippy::too_many_arguments,
    reason = "one caller; the parts have no meaning together"
)]
fn thread(
    shape: &Shape,
    now: i64,
    number: usize,
    created: i64,
    draw: &mut Draw,
    customers: &mut [Customer],
    made: &mut Threads,
) {
    let limit = now - HOUR;
    // A few customers write a lot.
    let mut customer = draw
        .below(customers.len() as u64)
        .min(draw.below(customers.len() as u64)) as u32;
    if let Some(found) = customers
        .get(customer as usize)
        .filter(|c| c.merged_into != NONE)
    {
        customer = found.merged_into;
    }
    let mut flags = 0;
    if number % 37 == 11 {
        flags |= flag::DELETED;
    }
    if draw.chance(12) {
        flags |= flag::SPAM;
    }
    if draw.chance(15) {
        flags |= flag::BURST;
    }
    let imported = if number % 13 == 6 && created < now - 3 * 365 * DAY {
        flags |= flag::IMPORTED;
        now - draw.pick(&[900, 500, 300]) * DAY + number as i64
    } else {
        0
    };
    let channel = match draw.below(100) {
        0..60 => 0,
        60..74 => 1,
        74..80 => 2,
        80..85 => 3,
        85..89 => 4,
        89..92 => 5,
        92..96 => 6,
        96 => 7,
        97 => 8,
        _ => 9,
    };
    let longest = number % 20_000 == (shape.conversations / 3) % 20_000;
    let messages = if flags & flag::DELETED != 0 {
        // Deleting a conversation also removes its messages (Kustomer facts §9.3).
        0
    } else if longest && shape.conversations >= 20 {
        shape.longest_thread
    } else {
        match draw.below(1000) {
            0..10 => 0,
            10..550 => draw.between(1, 3) as u32,
            550..850 => draw.between(4, 7) as u32,
            850..970 => draw.between(8, 20) as u32,
            970..996 => draw.between(21, 60) as u32,
            _ => draw.between(61, 190) as u32,
        }
        .min(shape.longest_thread.max(3))
    };
    let length = if flags & flag::BURST != 0 {
        900
    } else {
        draw.pick(&[HOUR / 6, HOUR, 8 * HOUR, DAY, 5 * DAY, 21 * DAY])
    };
    let end = (created + length).min(limit);
    let first_message = made.messages.len() as u32;
    let begins_out = draw.chance(200);
    let mut last = created;
    for at in 0..messages {
        let step = (end - created).max(0) / i64::from(messages.max(1));
        let sent = created + step * i64::from(at) + draw.between(0, step.max(1) - 1);
        let out = if at == 0 {
            begins_out
        } else {
            draw.chance(500)
        };
        let mut bits = flags & flag::IMPORTED;
        if out {
            bits |= flag::OUT;
            if draw.chance(60) {
                bits |= flag::AUTO;
            }
            if draw.chance(15) {
                bits |= flag::FAILED;
            }
        }
        if draw.chance(4) {
            bits |= flag::REDACTED;
        }
        let own_channel = if draw.chance(20) {
            draw.below(4) as u8
        } else {
            channel
        };
        let created_after = draw.between(0, 1500) as u32;
        let made_at = if imported > 0 {
            imported
        } else {
            sent + i64::from(created_after)
        };
        let edited = if draw.chance(30) {
            draw.between(0, 300 * DAY)
        } else {
            draw.between(0, 900)
        };
        made.messages.push(Message {
            sent,
            created_after,
            conversation: number as u32,
            updated: (made_at + edited).min(limit),
            flags: bits,
            rev: draw.between(1, 4) as u16,
            channel: own_channel,
            files: if own_channel < 5 && draw.chance(110) {
                draw.between(1, 3) as u8
            } else {
                0
            },
        });
        last = sent;
    }
    let first_note = made.notes.len() as u32;
    let notes = if draw.chance(350) {
        draw.between(1, 4) as u16
    } else {
        0
    };
    for _ in 0..notes {
        let written = (created + draw.between(0, length.max(HOUR))).min(limit);
        let changed = if draw.chance(50) {
            draw.between(0, 200 * DAY)
        } else {
            0
        };
        made.notes.push(Note {
            created: written,
            updated: (imported.max(written) + changed).min(limit),
            conversation: number as u32,
            customer,
            flags: if draw.chance(30) { flag::DELETED } else { 0 },
            files: if draw.chance(60) {
                draw.between(1, 2) as u8
            } else {
                0
            },
        });
        last = last.max(written);
    }
    let young = created > now - 30 * DAY;
    let status = match draw.below(100) {
        0..30 if young => 0,
        30..40 if young => 1,
        0..2 => 0,
        2 => 1,
        _ => 2,
    };
    let later = if draw.chance(60) {
        draw.between(0, 400 * DAY)
    } else {
        draw.between(0, 4 * HOUR)
    };
    let updated = (imported.max(last) + later).min(limit);
    made.conversations.push(Conversation {
        created,
        updated,
        imported,
        customer,
        first_message,
        messages,
        first_note,
        notes,
        flags,
        rev: draw.between(1, 40) as u16,
        status,
        channel,
    });
    if let Some(customer) = customers.get_mut(customer as usize) {
        customer.created = customer.created.min(created);
        customer.updated = customer.updated.max(updated).min(limit);
    }
}

/// Notes on customers, belonging to no conversation.
fn loose_notes(seed: u64, customers: &[Customer], limit: i64, notes: &mut Vec<Note>) {
    for (number, customer) in customers.iter().enumerate() {
        let mut draw = Draw::new(seed, purpose::NOTE_MAKE, number as u64);
        if customer.flags == 0 && draw.chance(50) {
            let created = (customer.created + draw.between(0, 900 * DAY)).min(limit);
            notes.push(Note {
                created,
                updated: created,
                conversation: NONE,
                customer: number as u32,
                flags: 0,
                files: u8::from(draw.chance(100)),
            });
        }
    }
}

fn kobjects(
    seed: u64,
    count: usize,
    klasses: &[KlassDef],
    customers: &[Customer],
    companies: usize,
    now: i64,
) -> Vec<KObject> {
    (0..count)
        .map(|number| {
            let mut draw = Draw::new(seed, purpose::KOBJECT_MAKE, number as u64);
            // The first few records give every klass at least three.
            let klass = if number < klasses.len() * 3 {
                number % klasses.len()
            } else {
                let mut left = draw.below(1000);
                klasses
                    .iter()
                    .position(|klass| {
                        let here = left < klass.share;
                        left = left.saturating_sub(klass.share);
                        here
                    })
                    .unwrap_or(0)
            };
            let owner = match klasses.get(klass).and_then(|klass| klass.owner) {
                Some("customer") if !draw.chance(80) => {
                    let customer = draw.below(customers.len() as u64) as u32;
                    customers
                        .get(customer as usize)
                        .filter(|c| c.merged_into != NONE)
                        .map_or(customer, |c| c.merged_into)
                }
                Some("company") if !draw.chance(80) => draw.below(companies as u64) as u32,
                _ => NONE,
            };
            let created = now - 8 * 365 * DAY + draw.between(0, 8 * 365 * DAY - DAY);
            KObject {
                created,
                updated: (created + draw.between(0, 500 * DAY)).min(now - 2 * HOUR),
                owner,
                klass: klass as u8,
                flags: 0,
                rev: draw.between(1, 9) as u16,
            }
        })
        .collect()
}
