//! `/v2/storage/tokens`.

use crate::api::openapi::failures::{
    FORBIDDEN, MASTER_TOKEN, STORAGE_API_REFUSED, TOKEN_IN_USE, TOKENS_ELSEWHERE,
};
use crate::api::openapi::operation::{Group, JSON, Operation};
use crate::api::read::{Nothing, TokenForm};
use crate::api::shapes::WholeTokenShape;
use crate::store::TokenChange;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

const GROUP: Group = Group("Tokens");
const FORM: &str = "application/x-www-form-urlencoded";
type Token = WholeTokenShape<'static>;

/// A token of this server, or whatever another service says of one of its own.
struct VerifiedToken;

impl JsonSchema for VerifiedToken {
    fn schema_name() -> Cow<'static, str> {
        "VerifiedToken".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let own = generator.subschema_for::<Token>();
        json_schema!({
            "description": "A token. Where another service keeps the tokens, this is that service's answer, which may lack some fields and have others.",
            "anyOf": [own, {"type": "object", "required": ["id", "owner"]}],
        })
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let of_one = |path, id, summary| GROUP.call(path, id, summary).id("id", "The token.");
    let managed = [FORBIDDEN, TOKENS_ELSEWHERE];
    vec![
        GROUP
            .call(
                "GET /v2/storage/tokens/verify",
                "verifyToken",
                "The caller's token",
            )
            .says("With its value.")
            .gives::<VerifiedToken>(200, "The token.", "tokenWithValue")
            .fails(&[STORAGE_API_REFUSED]),
        GROUP
            .call("GET /v2/storage/tokens", "listTokens", "All tokens")
            .gives::<[Token]>(200, "The tokens of the project.", "tokens")
            .fails(&managed),
        GROUP
            .call("POST /v2/storage/tokens", "createToken", "Create a token")
            .says("The caller's token has to be one that manages tokens, and gives no right that it lacks.")
            .may_take::<TokenChange>(JSON, "newToken")
            .may_take::<TokenForm>(FORM, "")
            .gives::<Token>(201, "The new token with its value, which is shown this once.", "tokenWithValue")
            .fails(&managed),
        of_one("GET /v2/storage/tokens/{id}", "readToken", "A token")
            .gives::<Token>(200, "The token.", "token")
            .fails(&managed),
        of_one("PUT /v2/storage/tokens/{id}", "updateToken", "Change a token")
            .may_take::<TokenChange>(JSON, "tokenChange")
            .may_take::<TokenForm>(FORM, "")
            .gives::<Token>(200, "The token as it is now.", "token")
            .fails(&managed)
            .fails(&[MASTER_TOKEN]),
        of_one("DELETE /v2/storage/tokens/{id}", "deleteToken", "Delete a token")
            .gives_nothing(204, "It is gone.")
            .fails(&managed)
            .fails(&[MASTER_TOKEN, TOKEN_IN_USE]),
        of_one(
            "POST /v2/storage/tokens/{id}/refresh",
            "refreshToken",
            "Give a token a new value",
        )
        .says("The old value is refused at once.")
        .may_take::<Nothing>(JSON, "nothing")
        .gives::<Token>(200, "The token with its value, which is shown this once.", "tokenWithValue")
        .fails(&managed),
    ]
}
