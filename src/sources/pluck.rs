//! Single values out of a JSON document by their JSON pointer, without building the rest: a body of 25 MB costs a pass over
//! its bytes and no tree in memory.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The text, number or truth at `pointer`, as text. Of a key that comes twice the last counts, as everywhere else.
pub(super) fn pluck(json: &str, pointer: &str) -> Option<String> {
    let steps: Vec<String> =
        pointer.strip_prefix('/')?.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let mut reader = serde_json::Deserializer::from_str(json);
    Seek(&steps).deserialize(&mut reader).ok().flatten()
}

struct Seek<'a>(&'a [String]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Option<String>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match self.0.split_first() {
                Some((step, rest)) if *step == key => found = map.next_value_seed(Seek(rest))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let wanted = self.0.split_first().and_then(|(step, rest)| Some((step.parse::<usize>().ok()?, rest)));
        let mut found = None;
        for nth in 0.. {
            match wanted {
                Some((at, rest)) if at == nth => match list.next_element_seed(Seek(rest))? {
                    Some(value) => found = value,
                    None => break,
                },
                _ => {
                    if list.next_element::<IgnoredAny>()?.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(found)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.0.is_empty().then(|| text.to_owned()))
    }
    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(self.0.is_empty().then(|| truth.to_string()))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.0.is_empty().then(|| number.to_string()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.0.is_empty().then(|| number.to_string()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.0.is_empty().then(|| number.to_string()))
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::pluck;

    #[test]
    fn one_value_is_taken_out_and_the_rest_is_passed_over() {
        let json = r#"{"a":{"b":[1,{"c":"deep"}],"a/b":"slash"},"n":null,"t":true,"x":"one","x":"two","e":"\u00e4"}"#;
        let cases = [
            ("/a/b/1/c", Some("deep")),
            ("/a/b/0", Some("1")),
            ("/a/a~1b", Some("slash")),
            ("/x", Some("two")),
            ("/t", Some("true")),
            ("/e", Some("ä")),
            ("/n", None),
            ("/a", None),
            ("/a/b/7", None),
            ("/a/b/1/c/d", None),
            ("/nothing", None),
            ("no pointer", None),
        ];
        for (pointer, wanted) in cases {
            assert_eq!(pluck(json, pointer).as_deref(), wanted, "{pointer}");
        }
        let whole: serde_json::Value = serde_json::from_str(json).expect("JSON");
        for (pointer, _) in cases {
            let same =
                whole.pointer(pointer).filter(|value| !(value.is_null() || value.is_object() || value.is_array()));
            let same = same.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            assert_eq!(pluck(json, pointer), same, "{pointer}");
        }
        assert_eq!(pluck("{\"a\":", "/a"), None);
        assert_eq!(pluck(&format!("{}1{}", "[".repeat(100), "]".repeat(100)), "/0/0"), None);
    }
}
