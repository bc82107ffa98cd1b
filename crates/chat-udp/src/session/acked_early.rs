//! The later entries that a member has while it lacks earlier ones: usually none, and then this takes no memory.

use chat_proto::SlotSet;

/// A [`SlotSet`] that exists only while it is not empty: its 128 bytes would be a third of a session.
#[derive(Debug, Default)]
pub(crate) struct AckedEarly(Option<Box<SlotSet>>);

impl AckedEarly {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn contains(&self, offset: u64) -> bool {
        self.0.as_ref().is_some_and(|set| set.contains(offset))
    }

    pub(crate) fn last(&self) -> Option<u64> {
        self.0.as_ref()?.last()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|set| set.iter())
    }

    pub(crate) fn union(&mut self, other: &SlotSet) {
        if !other.is_empty() {
            self.0.get_or_insert_default().union(other);
        }
    }

    pub(crate) fn shift(&mut self, by: u64) {
        if let Some(set) = &mut self.0 {
            set.shift(by);
            if set.is_empty() {
                self.0 = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_takes_no_memory() {
        let mut beyond = AckedEarly::default();
        beyond.union(&SlotSet::default());
        assert!(beyond.is_empty() && beyond.0.is_none());
        let mut three = SlotSet::default();
        assert!(three.insert(3));
        beyond.union(&three);
        beyond.shift(1);
        assert!(beyond.contains(2) && !beyond.contains(3));
        assert_eq!((beyond.last(), beyond.iter().collect::<Vec<_>>()), (Some(2), vec![2]));
        beyond.shift(3);
        assert!(beyond.is_empty() && beyond.last().is_none() && beyond.iter().next().is_none());
    }
}
