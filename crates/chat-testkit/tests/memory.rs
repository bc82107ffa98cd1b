//! The in-memory transport keeps its contract.

mod support;

chat_testkit::conformance_tests!(support::Memory);
