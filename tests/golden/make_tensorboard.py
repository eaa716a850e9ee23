"""Golden bytes of an event file, written by TensorBoard's own classes (tensorboard 2.21.0, protobuf 7.36.2).

Usage: python make_tensorboard.py > tensorboard.json
"""

import io
import json

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.hparams import metadata, plugin_data_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


class Kept(io.BytesIO):
    def close(self):
        pass


def hparams(tag, data):
    value = summary_pb2.Summary.Value(
        tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR
    )
    return summary_pb2.Summary(value=[value])


start = plugin_data_pb2.SessionStartInfo(start_time_secs=1.5e9)
start.hparams["name"].string_value = "é"
start.hparams["on"].bool_value = True
start.hparams["rate"].number_value = 0.001
end = plugin_data_pb2.SessionEndInfo(
    status=2,  # STATUS_FAILURE
    end_time_secs=1.5e9,
)
events = {
    "version": event_pb2.Event(wall_time=1.5e9, file_version="brain.Event:2"),
    "start": event_pb2.Event(
        wall_time=1.5e9,
        summary=hparams(metadata.SESSION_START_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_start_info=start)),
    ),
    "scalars": event_pb2.Event(
        wall_time=1.5e9,
        step=300,
        summary=summary_pb2.Summary(
            value=[
                summary_pb2.Summary.Value(tag="loss", simple_value=0.125),
                summary_pb2.Summary.Value(tag="valLoss", simple_value=float("nan")),
            ]
        ),
    ),
    "end": event_pb2.Event(
        wall_time=1.5e9,
        summary=hparams(metadata.SESSION_END_INFO_TAG, plugin_data_pb2.HParamsPluginData(session_end_info=end)),
    ),
}
golden = {}
for name, event in events.items():
    kept = Kept()
    RecordWriter(kept).write(event.SerializeToString(deterministic=True))
    golden[name] = kept.getvalue().hex()
print(json.dumps(golden, indent=1))
