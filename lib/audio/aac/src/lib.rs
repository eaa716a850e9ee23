//! Symphonia's AAC-LC decoder with the least of an interface: one stream for an instance of the module, one access unit
//! for a call, 1,024 samples of every channel out of it. Nothing is freed; whoever has read a file drops the instance.

use symphonia_codec_aac::AacDecoder;
use symphonia_core::audio::{AudioBufferRef, Channels, Signal};
use symphonia_core::codecs::{CodecParameters, Decoder, DecoderOptions, CODEC_TYPE_AAC};
use symphonia_core::errors::Error;
use symphonia_core::formats::Packet;

/// The unit was decoded.
const DECODED: i32 = 0;
/// The unit breaks a rule of the format.
const CORRUPT: i32 = 1;
/// The unit needs what this decoder does not have: spectral band replication, coupling, other channels than announced.
const UNSUPPORTED: i32 = 2;

pub struct Stream {
    decoder: AacDecoder,
    unit: Vec<u8>,
}

/// A stream of `channels` channels; null where there is no such stream.
#[no_mangle]
pub extern "C" fn open(rate_hz: u32, channels: u32) -> *mut Stream {
    let Some(layout) = 1u32.checked_shl(channels).and_then(|bit| Channels::from_bits(bit - 1)) else {
        return std::ptr::null_mut();
    };
    let mut params = CodecParameters::new();
    params.for_codec(CODEC_TYPE_AAC).with_sample_rate(rate_hz).with_channels(layout);
    match AacDecoder::try_new(&params, &DecoderOptions::default()) {
        Ok(decoder) => Box::into_raw(Box::new(Stream { decoder, unit: Vec::new() })),
        Err(_) => std::ptr::null_mut(),
    }
}

/// Where the next unit of `length` bytes is written.
///
/// # Safety
/// `stream` comes from `open`.
#[no_mangle]
pub unsafe extern "C" fn input(stream: *mut Stream, length: usize) -> *mut u8 {
    let unit = &mut (*stream).unit;
    unit.resize(length, 0);
    unit.as_mut_ptr()
}

/// Decodes the unit that was written.
///
/// # Safety
/// `stream` comes from `open`.
#[no_mangle]
pub unsafe extern "C" fn decode(stream: *mut Stream) -> i32 {
    let stream = &mut *stream;
    match stream.decoder.decode(&Packet::new_from_slice(0, 0, 0, &stream.unit)) {
        Ok(_) => DECODED,
        Err(Error::Unsupported(_)) => UNSUPPORTED,
        Err(_) => CORRUPT,
    }
}

/// Where the 1,024 samples of a channel lie that the last unit gave.
///
/// # Safety
/// `stream` comes from `open`, and `channel` is one of its channels.
#[no_mangle]
pub unsafe extern "C" fn output(stream: *mut Stream, channel: usize) -> *const f32 {
    match (*stream).decoder.last_decoded() {
        AudioBufferRef::F32(samples) => samples.chan(channel).as_ptr(),
        _ => std::ptr::null(),
    }
}
