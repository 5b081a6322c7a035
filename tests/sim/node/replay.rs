//! The simulator as a module for Node: the same seeds through the same code, compiled for another machine.

/// Lives through a seed and gives the hash of its trace.
#[unsafe(no_mangle)]
pub extern "C" fn live(seed: u64) -> u64 {
    landfall_sim::story::tell(seed, false).hash
}

#[cfg(target_family = "wasm")]
#[global_allocator]
static HEAP: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();
